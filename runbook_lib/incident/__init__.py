"""After an incident: what happened, who was hurt, what changed. Reads and reasons; nothing here changes anything."""
