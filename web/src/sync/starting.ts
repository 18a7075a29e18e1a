/** Starts the engine of a browser, where no other one is at work. */
import { createCalls } from "../wire/calls";
import type { Identity } from "../wire/transport";
import { Engine } from "./engine";
import { Mirror } from "./mirror";

export async function startEngine(identity: Identity): Promise<Engine> {
  return new Engine(createCalls(identity), await Mirror.open());
}

const LOCK = "grpc-chat-engine";
const CHANNEL = "grpc-chat-engine";

/**
 * Runs while no other worker or tab has an engine on the same mirror.
 *
 * After an update of the client, the new version's worker is another one: it asks the old one to stop.
 *
 * @param superseded called when another one asks; the lock is free when it has resolved
 */
export async function alone(superseded: () => Promise<void>): Promise<void> {
  if (!("locks" in navigator)) return;
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage("stop");
  await new Promise<void>((resolve) => {
    void navigator.locks.request(LOCK, async () => {
      resolve();
      await new Promise<void>((done) => {
        channel.onmessage = () => {
          channel.close();
          void superseded().finally(done);
        };
      });
    });
  });
}
