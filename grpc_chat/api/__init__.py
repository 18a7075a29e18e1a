"""The methods of chat.proto, one service per file."""
