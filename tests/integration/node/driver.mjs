// Makes calls with grpc-js as it is told to; see tests/clients/drivers.py for what it reads and prints.
import grpc from "@grpc/grpc-js";
import readline from "node:readline";

const channels = new Map();
const calls = new Map();
const asIs = (bytes) => bytes;
const print = (...words) => process.stdout.write(`${words.join(" ")}\n`);
const encoded = (data) => Buffer.from(data).toString("base64") || "-";
const decoded = (text) => Buffer.from(text === "-" ? "" : text, "base64");

function metadataOf(text) {
  const metadata = new grpc.Metadata();
  for (const field of text === "-" ? [] : text.split(",")) {
    const [name, value] = field.split(":");
    metadata.add(name, name.endsWith("-bin") ? decoded(value) : decoded(value).toString("latin1"));
  }
  return metadata;
}

function printed(metadata) {
  const parts = Object.keys(metadata?.getMap() ?? {}).flatMap((name) =>
    metadata.get(name).map((value) => `${name}:${encoded(value)}`),
  );
  return parts.join(",") || "-";
}

function open(name, address, authority, keepalive, encoding) {
  const options = { "grpc.use_local_subchannel_pool": 1 };
  if (keepalive !== "0") {
    options["grpc.keepalive_time_ms"] = Number(keepalive);
    options["grpc.keepalive_permit_without_calls"] = 1;
  }
  if (encoding !== "-") {
    options["grpc.default_compression_algorithm"] = { deflate: 1, gzip: 2 }[encoding];
  }
  const credentials =
    authority === "-" ? grpc.credentials.createInsecure() : grpc.credentials.createSsl(decoded(authority));
  channels.set(name, new grpc.Client(address, credentials, options));
}

function call(id, name, kind, path, timeout, metadata, request) {
  const client = channels.get(name);
  const options = timeout === "0" ? {} : { deadline: Date.now() + Number(timeout) };
  const parts = [path, asIs, asIs, decoded(request), metadataOf(metadata), options];
  let made;
  if (kind === "unary") {
    made = client.makeUnaryRequest(...parts, (error, response) => error || print("message", id, encoded(response)));
  } else {
    made = client.makeServerStreamRequest(...parts);
    made.on("error", () => {}); // told by the status
    const read = () => made.on("data", (response) => print("message", id, encoded(response)));
    if (kind === "stalled") {
      made.read_on = read;
    } else {
      read();
    }
  }
  calls.set(id, made);
  let status;
  let done = kind === "unary";
  const ended = () => {
    if (status && done) {
      calls.delete(id);
      print("end", id, status.code, encoded(status.details), printed(status.metadata));
    }
  };
  made.on("status", (told) => {
    status = told;
    // The callback of a unary call comes after its status.
    setImmediate(ended);
  });
  if (!done) {
    made.on("close", () => {
      done = true;
      ended();
    });
  }
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const [word, ...words] = line.split(" ");
  if (word === "open") open(...words);
  else if (word === "close") channels.get(words[0]).close();
  else if (word === "call") call(...words);
  else if (word === "cancel") calls.get(words[0])?.cancel();
  else if (word === "read") calls.get(words[0])?.read_on();
  else throw new Error(`unknown: ${word}`);
}
process.exit();
