"""``python -m grpc_chat`` is ``grpc-chat``."""

from grpc_chat.cli.main import main

if __name__ == "__main__":
    main()
