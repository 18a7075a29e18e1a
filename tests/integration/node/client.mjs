// A client in JavaScript, made of nothing but chat.proto: node client.mjs ADDRESS ID METHOD REQUEST
//
// Calls SERVICE/METHOD with a request in JSON. Each response, and in the end the status, is a line of JSON.
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import { fileURLToPath } from "node:url";

const [address, id, path, request] = process.argv.slice(2);
const proto = fileURLToPath(new URL("../../../chat.proto", import.meta.url));
const { chat } = grpc.loadPackageDefinition(loader.loadSync(proto, { longs: String, enums: String }));
const [service, method] = path.split("/");
const client = new chat.v1[service](address, grpc.credentials.createInsecure());
const metadata = new grpc.Metadata();
metadata.set("authorization", `Bearer ${id}`);

const print = (line) => console.log(JSON.stringify(line));
const printStatus = ({ code, details, metadata }) => {
  const [status] = metadata.get("grpc-status-details-bin");
  print({ status: { code: grpc.status[code], message: details, details: status?.toString("base64") } });
};

if (client[method].responseStream) {
  const call = client[method](JSON.parse(request), metadata);
  call.on("data", (response) => print({ response }));
  call.on("error", () => {}); // told by the status
  call.on("status", printStatus);
} else {
  const call = client[method](JSON.parse(request), metadata, (error, response) => error || print({ response }));
  call.on("status", printStatus);
}
