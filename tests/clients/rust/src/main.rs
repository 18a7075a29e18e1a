//! Makes calls with tonic as it is told to; see drivers.py for what it reads and prints.
use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::{Buf, BufMut, Bytes};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::sync::Notify;
use tonic::client::Grpc;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{
    AsciiMetadataKey, BinaryMetadataKey, BinaryMetadataValue, KeyAndValueRef, MetadataMap,
};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};

/// Messages are bytes.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;
    fn encoder(&mut self) -> Raw {
        Raw
    }
    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

type Calls = Arc<Mutex<HashMap<String, (Arc<Notify>, Arc<Notify>)>>>;

fn encoded(data: &[u8]) -> String {
    if data.is_empty() { "-".into() } else { BASE64_STANDARD.encode(data) }
}

fn decoded(text: &str) -> Vec<u8> {
    if text == "-" { Vec::new() } else { BASE64_STANDARD.decode(text).expect("base64") }
}

fn take_fields(text: &str, into: &mut MetadataMap) {
    for field in text.split(',').filter(|field| *field != "-") {
        let (name, value) = field.split_once(':').expect("a name and a value");
        let value = decoded(value);
        if name.ends_with("-bin") {
            let key = BinaryMetadataKey::from_bytes(name.as_bytes()).expect("a name");
            into.append_bin(key, BinaryMetadataValue::from_bytes(&value));
        } else {
            let key = AsciiMetadataKey::from_bytes(name.as_bytes()).expect("a name");
            let text = String::from_utf8(value).expect("ASCII");
            into.append(key, text.parse().expect("a value"));
        }
    }
}

fn printed(metadata: &MetadataMap) -> String {
    let parts: Vec<String> = metadata
        .iter()
        .map(|field| match field {
            KeyAndValueRef::Ascii(key, value) => format!("{key}:{}", encoded(value.as_bytes())),
            KeyAndValueRef::Binary(key, value) => {
                format!("{key}:{}", encoded(&value.to_bytes().expect("base64")))
            }
        })
        .collect();
    if parts.is_empty() { "-".into() } else { parts.join(",") }
}

fn open(address: &str, authority: &str, keepalive: &str, encoding: &str) -> Grpc<Channel> {
    let scheme = if authority == "-" { "http" } else { "https" };
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}")).expect("an address");
    if authority != "-" {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(decoded(authority)));
        endpoint = endpoint.tls_config(tls).expect("an authority");
    }
    if keepalive != "0" {
        endpoint = endpoint
            .http2_keep_alive_interval(Duration::from_millis(keepalive.parse().expect("a number")))
            .keep_alive_while_idle(true);
    }
    let client = Grpc::new(endpoint.connect_lazy());
    match encoding {
        "gzip" => client.send_compressed(CompressionEncoding::Gzip),
        "deflate" => client.send_compressed(CompressionEncoding::Deflate),
        _ => client,
    }
}

async fn run(
    id: &str,
    mut client: Grpc<Channel>,
    kind: &str,
    path: &str,
    request: Request<Bytes>,
    read: &Notify,
) -> Result<MetadataMap, Status> {
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = path.parse().expect("a path");
    if kind == "unary" {
        let response = client.unary(request, path, Raw).await?;
        println!("message {id} {}", encoded(response.get_ref()));
        return Ok(response.metadata().clone());
    }
    let mut stream = client.server_streaming(request, path, Raw).await?.into_inner();
    if kind == "stalled" {
        read.notified().await;
    }
    while let Some(message) = stream.message().await? {
        println!("message {id} {}", encoded(&message));
    }
    Ok(stream.trailers().await?.unwrap_or_default())
}

#[tokio::main]
async fn main() {
    let mut channels: HashMap<String, Grpc<Channel>> = HashMap::new();
    let calls = Calls::default();
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await.expect("input") {
        let words: Vec<String> = line.split(' ').map(Into::into).collect();
        match words[0].as_str() {
            "open" => {
                let channel = open(&words[2], &words[3], &words[4], &words[5]);
                channels.insert(words[1].clone(), channel);
            }
            "close" => {
                channels.remove(&words[1]);
            }
            "call" => {
                let client = channels[&words[2]].clone();
                let mut request = Request::new(Bytes::from(decoded(&words[7])));
                take_fields(&words[6], request.metadata_mut());
                if words[5] != "0" {
                    request.set_timeout(Duration::from_millis(words[5].parse().expect("a number")));
                }
                let (cancel, read) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
                let id = words[1].clone();
                calls.lock().unwrap().insert(id.clone(), (cancel.clone(), read.clone()));
                let calls = calls.clone();
                tokio::spawn(async move {
                    // A call that is dropped is cancelled.
                    let result = tokio::select! {
                        result = run(&id, client, &words[3], &words[4], request, &read) => result,
                        () = cancel.notified() => Err(Status::cancelled("cancelled here")),
                    };
                    calls.lock().unwrap().remove(&id);
                    let (code, text, metadata) = match &result {
                        Ok(metadata) => (Code::Ok, "", metadata),
                        Err(status) => (status.code(), status.message(), status.metadata()),
                    };
                    let code = code as i32;
                    let details = match &result {
                        // tonic takes this field out of the metadata.
                        Err(status) if !status.details().is_empty() => {
                            format!(",grpc-status-details-bin:{}", encoded(status.details()))
                        }
                        _ => String::new(),
                    };
                    println!("end {id} {code} {} {}{details}", encoded(text.as_bytes()), printed(metadata));
                });
            }
            "cancel" | "read" => {
                if let Some((cancel, read)) = calls.lock().unwrap().get(&words[1]) {
                    if words[0] == "cancel" { cancel.notify_one() } else { read.notify_one() }
                }
            }
            word => panic!("unknown: {word}"),
        }
    }
}
