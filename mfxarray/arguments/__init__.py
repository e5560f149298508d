"""Arguments of the commands; nothing here imports what a command needs to run."""
