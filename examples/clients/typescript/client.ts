// Sends a message to a room and prints what is said there: node client.ts ADDRESS TOKEN ROOM TEXT
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { randomUUID } from "node:crypto";
import type { ProtoGrpcType } from "./types/chat.ts";
import type { SubscribeResponse__Output } from "./types/chat/v1/SubscribeResponse.ts";

const [address, token, room, text] = process.argv.slice(2);
if (!address || !token || !room || !text) {
  console.error("usage: node client.ts ADDRESS TOKEN ROOM TEXT");
  process.exit(2);
}

// Without these options, empty lists are missing, and numbers of 64 bits are objects.
const options = { longs: String, enums: String, defaults: true, oneofs: true };
const { chat } = grpc.loadPackageDefinition(
  loadSync(new URL("chat.proto", import.meta.url).pathname, options),
) as unknown as ProtoGrpcType;

// With TLS: grpc.credentials.createSsl() instead.
const credentials = grpc.credentials.createInsecure();
const messages = new chat.v1.MessageService(address, credentials);
const events = new chat.v1.SubscribeService(address, credentials);
const metadata = new grpc.Metadata();
metadata.set("authorization", `Bearer ${token}`);

// A stream may live for days, so it has no deadline. After it ends, subscribe again from the last cursor.
const stream = events.subscribe({ cursors: [{ roomId: room }], includeOwn: true }, metadata);

stream.on("data", (response: SubscribeResponse__Output) => {
  for (const event of response.events) {
    // Other kinds of events have no message.
    if (event.kind !== "message" || !event.message) continue;
    console.log(event.seq, event.userId, event.message.text);
    if (event.message.text === text) stream.cancel();
  }
  // Now everything said before has been read.
  if (response.caughtUp) send();
});

stream.on("error", (error: grpc.ServiceError) => {
  if (error.code !== grpc.status.CANCELLED) fail(error);
});

function send(): void {
  // Sent again with the same id, a message is stored once.
  const message = { roomId: room, clientMessageId: randomUUID(), text };
  messages.sendMessages({ messages: [message] }, metadata, (error) => {
    if (error) fail(error);
  });
}

function fail(error: grpc.ServiceError): void {
  console.error(`${grpc.status[error.code]}: ${error.details}`);
  process.exitCode = 1;
  stream.cancel();
}
