"""Join a chat: python3 client.py -client_id 1 -server_ip localhost -port 50051 -message "Hello!" """

from grpc_chat.cli.quickstart import client_main

if __name__ == "__main__":
    raise SystemExit(client_main())
