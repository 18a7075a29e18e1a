"""Start a chat server: python3 server.py -client_ids 1,2,3 -port 50051"""

from grpc_chat.cli.quickstart import server_main

if __name__ == "__main__":
    raise SystemExit(server_main())
