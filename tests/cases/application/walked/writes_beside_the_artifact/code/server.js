// answers
