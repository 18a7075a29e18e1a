//! Sends a message to a room and prints what is said there: client ADDRESS TOKEN ROOM TEXT

use std::process::ExitCode;

use chat::event::Kind as EventKind;
use chat::message_service_client::MessageServiceClient;
use chat::subscribe_service_client::SubscribeServiceClient;
use chat::{Cursor, OutgoingMessage, SendMessagesRequest, SubscribeRequest};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

mod chat {
    tonic::include_proto!("chat.v1");
}

struct Client {
    channel: Channel,
    token: MetadataValue<Ascii>,
}

impl Client {
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.token.clone());
        request
    }

    async fn run(&self, room: &str, text: &str) -> Result<(), Status> {
        // A stream may live for days, so it has no deadline. After it ends, subscribe again from the last cursor.
        let request = SubscribeRequest {
            cursors: vec![Cursor { room_id: room.into(), ..Default::default() }],
            include_own: true,
            ..Default::default()
        };
        let mut subscribe = SubscribeServiceClient::new(self.channel.clone());
        let mut stream = subscribe.subscribe(self.request(request)).await?.into_inner();
        while let Some(response) = stream.message().await? {
            for event in response.events {
                // There are other kinds of events.
                if let Some(EventKind::Message(message)) = event.kind {
                    println!("{} {} {}", event.seq, event.user_id, message.text);
                    if message.text == text {
                        return Ok(());
                    }
                }
            }
            // Now everything said before has been read.
            if response.caught_up.is_some() {
                self.send(room, text).await?;
            }
        }
        Ok(())
    }

    async fn send(&self, room: &str, text: &str) -> Result<(), Status> {
        let message = OutgoingMessage {
            room_id: room.into(),
            // Sent again with the same id, a message is stored once.
            client_message_id: Uuid::new_v4().to_string(),
            text: text.into(),
            ..Default::default()
        };
        let request = SendMessagesRequest { messages: vec![message] };
        MessageServiceClient::new(self.channel.clone()).send_messages(self.request(request)).await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, token, room, text] = &arguments[..] else {
        eprintln!("usage: client ADDRESS TOKEN ROOM TEXT");
        return ExitCode::from(2);
    };
    // With TLS: https, and .tls_config(ClientTlsConfig::new().with_native_roots()).
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    let token = format!("Bearer {token}").parse().expect("a token");
    let client = Client { channel: endpoint.connect_lazy(), token };
    match client.run(room, text).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(status) => {
            // The server's errors carry a stable reason; see docs/reference/api.md.
            let reason = status.get_details_error_info().map(|info| info.reason);
            eprintln!("{}: {}", reason.unwrap_or_else(|| status.code().to_string()), status.message());
            ExitCode::FAILURE
        }
    }
}
