// What a page does, with the libraries that pages use: node browser.mjs URL DESCRIPTORS FORM TOKEN TEXT
//
// Follows all rooms, sends a text to one, and ends when the stream brings it. Each line of output is JSON.
import { readFileSync } from "node:fs";
import { createFileRegistry, fromBinary, toJson } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";

const [baseUrl, descriptors, form, token, text] = process.argv.slice(2);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));
const service = (name) => registry.getService(`chat.v1.${name}`);
const create = form.startsWith("grpc-web") ? createGrpcWebTransport : createConnectTransport;
const transport = create({ baseUrl, useBinaryFormat: !form.endsWith("json") });
const options = { headers: { Authorization: `Bearer ${token}` } };
const messages = createClient(service("MessageService"), transport);
const events = createClient(service("SubscribeService"), transport);

const print = (line) => console.log(JSON.stringify(line));
const send = (clientMessageId) =>
  messages.sendMessages({ messages: [{ roomId: "general", clientMessageId, text }] }, options);

try {
  await send("no UUID");
} catch (caught) {
  const error = ConnectError.from(caught);
  print({ error: Code[error.code], details: error.details.map((detail) => detail.type) });
}

const leaving = new AbortController();
const following = { ...options, signal: AbortSignal.any([leaving.signal, AbortSignal.timeout(60_000)]) };
try {
  for await (const response of events.subscribe({ allRooms: true, includeOwn: true }, following)) {
    if (response.started) print({ sent: Number((await send(crypto.randomUUID())).messages[0].seq) });
    for (const event of response.events) {
      if (event.kind.case === "message" && event.kind.value.text === text) {
        print({ came: Number(event.seq) });
        leaving.abort();
      }
    }
  }
} catch (caught) {
  print({ ended: Code[ConnectError.from(caught).code] });
}
