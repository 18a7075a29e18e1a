import { type ReadonlySignal, signal } from "@preact/signals";
import { refusesFile } from "../app/limits";
import type { Calls } from "../wire/calls";
import { toChatError } from "../wire/errors";

export type UploadState =
  | { readonly state: "sending"; readonly sent: number }
  | { readonly state: "done"; readonly fileId: string }
  | { readonly state: "failed"; readonly why: string };

/** How often a part is sent again while the server can't be reached. */
const TRIES = 6;
const PAUSE = 1000;

/** A file on its way to the server, part by part. It goes on where it stopped. */
export class Upload {
  private readonly now = signal<UploadState>({ state: "sending", sent: 0 });
  readonly state: ReadonlySignal<UploadState> = this.now;
  private uploadId = "";
  private partSize = 64 * 1024;
  private canceled = false;

  constructor(
    private readonly calls: Calls["files"],
    readonly file: File,
    readonly key: string = crypto.randomUUID(),
  ) {}

  get name(): string {
    return this.file.name || "file";
  }

  /** Also after a failure. It never rejects: `state` says what became of it. */
  async send(): Promise<void> {
    const refusal = refusesFile({ name: this.name, size: this.file.size });
    if (refusal) {
      this.now.value = { state: "failed", why: refusal };
      return;
    }
    this.now.value = { state: "sending", sent: 0 };
    try {
      let offset = await this.begin();
      while (offset < this.file.size && !this.canceled) {
        offset = await this.part(offset);
        this.now.value = { state: "sending", sent: offset };
      }
      if (this.canceled) return;
      const { file } = await this.calls.finishUpload({ uploadId: this.uploadId });
      this.now.value = { state: "done", fileId: file?.fileId ?? this.uploadId };
    } catch (thrown) {
      if (!this.canceled) this.now.value = { state: "failed", why: toChatError(thrown).message };
    }
  }

  /** Ends it, and has the server forget what it has of it. */
  cancel(): void {
    this.canceled = true;
    // It expires by itself where this does not arrive.
    if (this.uploadId) void this.calls.cancelUpload({ uploadId: this.uploadId }).catch(() => undefined);
  }

  private async begin(): Promise<number> {
    if (this.uploadId) {
      const { upload } = await this.calls.getUpload({ uploadId: this.uploadId });
      return Number(upload?.offset ?? 0n);
    }
    const { upload } = await this.calls.createUpload({
      name: this.name,
      size: BigInt(this.file.size),
      contentType: /^[\w.+-]+\/[\w.+-]+$/.test(this.file.type) ? this.file.type : "",
    });
    if (!upload) throw new Error("the server began no upload");
    this.uploadId = upload.uploadId;
    this.partSize = upload.partSize || this.partSize;
    if (this.canceled) this.cancel();
    return Number(upload.offset);
  }

  private async part(offset: number): Promise<number> {
    const data = new Uint8Array(await this.file.slice(offset, offset + this.partSize).arrayBuffer());
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await this.calls.uploadPart({
          uploadId: this.uploadId,
          offset: BigInt(offset),
          data,
        });
        return Number(response.offset);
      } catch (thrown) {
        const error = toChatError(thrown);
        const known = Number(error.metadata.offset);
        if (error.reason === "WRONG_OFFSET" && Number.isSafeInteger(known)) return known;
        if (this.canceled || attempt >= TRIES || !(error.unreachable || error.retryAfter)) throw error;
        await new Promise((done) => setTimeout(done, error.retryAfter ?? PAUSE * attempt));
      }
    }
  }
}
