require('http').createServer((_, r) => r.end('ok')).listen(3000)
