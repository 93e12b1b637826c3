"""How many connections one worker bears, what each takes, and what a polite client beside them notices."""
