import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { Code, ConnectError } from "@connectrpc/connect";
import { expect, it } from "vitest";
import { ChatError, toChatError } from "./errors";

const text = (number: number, value: string) => new BinaryWriter().tag(number, 2).string(value).finish();
const nested = (number: number, value: Uint8Array) => new BinaryWriter().tag(number, 2).bytes(value).finish();
const joined = (...parts: Uint8Array[]) => new Uint8Array(parts.flatMap((part) => [...part]));

function answered(code: Code, ...details: [string, Uint8Array][]): ConnectError {
  const error = new ConnectError("no", code);
  error.details = details.map(([type, value]) => ({ type, value }));
  return error;
}

it("reads what the server says beside the sentence", () => {
  const info = joined(
    text(1, "SLOW_MODE"),
    text(2, "grpc-chat"),
    nested(3, joined(text(1, "room"), text(2, "a"))),
  );
  const wrong = nested(1, joined(text(1, "messages[3].text"), text(2, "too long")));
  const delay = nested(1, new BinaryWriter().tag(1, 0).int64(2).tag(2, 0).int32(500_000_000).finish());
  const error = toChatError(
    answered(
      Code.ResourceExhausted,
      ["google.rpc.ErrorInfo", info],
      ["google.rpc.BadRequest", wrong],
      ["type.googleapis.com/google.rpc.RetryInfo", delay],
    ),
  );

  expect(error).toBeInstanceOf(ChatError);
  expect(error).toMatchObject({
    code: Code.ResourceExhausted,
    reason: "SLOW_MODE",
    field: "messages[3].text",
    retryAfter: 2500,
    metadata: { room: "a" },
    message: "no",
    signedOut: false,
  });
});

it("tells an ended session from a wrong password, and both from a lost network", () => {
  const ended = toChatError(
    answered(Code.Unauthenticated, ["google.rpc.ErrorInfo", text(1, "SESSION_ENDED")]),
  );
  const wrong = toChatError(
    answered(Code.Unauthenticated, ["google.rpc.ErrorInfo", text(1, "LOGIN_FAILED")]),
  );
  const lost = toChatError(new TypeError("Failed to fetch"));
  const late = toChatError(new ConnectError("the operation timed out", Code.DeadlineExceeded));

  expect([ended, wrong, lost, late].map((error) => [error.signedOut, error.unreachable])).toEqual([
    [true, false],
    [false, false],
    [false, true],
    [false, true],
  ]);
});

it("survives details that are no messages", () => {
  const error = toChatError(answered(Code.Internal, ["google.rpc.ErrorInfo", new Uint8Array([255, 255])]));
  expect([error.code, error.reason]).toEqual([Code.Internal, ""]);
});
