import { expect, it } from "vitest";
import type { Calls } from "../wire/calls";
import { ChatError, Code } from "../wire/errors";
import { Upload } from "./Upload";

/** A server that keeps what it is sent, and says no as it is told to. */
function server(fail: (offset: number) => ChatError | undefined = () => undefined) {
  const stored: number[] = [];
  const canceled: string[] = [];
  const files = {
    createUpload: async () => ({ upload: { uploadId: "u", partSize: 4, offset: 0n } }),
    getUpload: async () => ({ upload: { offset: BigInt(stored.length) } }),
    uploadPart: async ({ offset, data }: { offset: bigint; data: Uint8Array }) => {
      const error = fail(Number(offset));
      if (error) throw error;
      stored.splice(Number(offset), data.length, ...data);
      return { offset: BigInt(stored.length) };
    },
    finishUpload: async () => ({ file: { fileId: "f" } }),
    cancelUpload: async ({ uploadId }: { uploadId: string }) => {
      canceled.push(uploadId);
      return {};
    },
  };
  return { stored, canceled, files: files as unknown as Calls["files"] };
}

const file = new File([new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])], "ten", { type: "text/plain" });

it("sends a file in the parts that the server takes", async () => {
  const { stored, files } = server();
  const upload = new Upload(files, file);
  await upload.send();
  expect(upload.state.value).toEqual({ state: "done", fileId: "f" });
  expect(stored).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

it("goes on where the server says it stopped", async () => {
  let told = false;
  const { stored, files } = server((offset) => {
    if (offset !== 4 || told) return undefined;
    told = true;
    return new ChatError(Code.FailedPrecondition, "wrong", {
      reason: "WRONG_OFFSET",
      metadata: { offset: "2" },
    });
  });
  const upload = new Upload(files, file);
  await upload.send();
  expect(upload.state.value.state).toBe("done");
  expect(stored).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

it("tries again by itself when the server was away, and otherwise when it is told to", async () => {
  let away = 1;
  let refuses = true;
  const { stored, files } = server((offset) => {
    if (offset === 4 && away-- > 0)
      return new ChatError(Code.Unavailable, "draining", { reason: "DRAINING", retryAfter: 1 });
    if (offset === 8 && refuses)
      return new ChatError(Code.ResourceExhausted, "full", { reason: "STORE_FULL" });
    return undefined;
  });
  const upload = new Upload(files, file);
  await upload.send();
  expect(upload.state.value).toEqual({ state: "failed", why: "full" });
  refuses = false;
  await upload.send();
  expect(upload.state.value.state).toBe("done");
  expect(stored).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

it("stops when it is canceled, and has the server forget it", async () => {
  const { stored, canceled, files } = server((offset) => {
    if (offset === 4) upload.cancel();
    return undefined;
  });
  const upload: Upload = new Upload(files, file);
  await upload.send();
  expect(canceled).toEqual(["u"]);
  expect(upload.state.value.state).toBe("sending");
  expect(stored.length).toBe(8);
});
