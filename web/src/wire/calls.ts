import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import {
  AdminService,
  AuthService,
  FileService,
  MessageService,
  ModerationService,
  PersonalService,
  PollService,
  PresenceService,
  RoomService,
  SubscribeService,
} from "./chat_pb";
import { toChatError } from "./errors";
import { createTransport, type Identity } from "./transport";

/**
 * All methods of the server. Each fails with a `ChatError`, and after `DEADLINE` without an answer.
 *
 * `subscribe.subscribe` must be given `timeoutMs: 0`: it lasts, and whoever reads it ends it.
 */
export interface Calls {
  readonly auth: Client<typeof AuthService>;
  readonly rooms: Client<typeof RoomService>;
  readonly messages: Client<typeof MessageService>;
  readonly files: Client<typeof FileService>;
  readonly polls: Client<typeof PollService>;
  readonly presence: Client<typeof PresenceService>;
  readonly personal: Client<typeof PersonalService>;
  readonly moderation: Client<typeof ModerationService>;
  readonly admin: Client<typeof AdminService>;
  readonly subscribe: Client<typeof SubscribeService>;
}

export function createCalls(identity: Identity, baseUrl?: string): Calls {
  const transport = createTransport(identity, baseUrl);
  const client = <T extends DescService>(service: T) => translated(createClient(service, transport));
  return {
    auth: client(AuthService),
    rooms: client(RoomService),
    messages: client(MessageService),
    files: client(FileService),
    polls: client(PollService),
    presence: client(PresenceService),
    personal: client(PersonalService),
    moderation: client(ModerationService),
    admin: client(AdminService),
    subscribe: client(SubscribeService),
  };
}

type Method = (...given: readonly unknown[]) => Promise<unknown> | AsyncIterable<unknown>;

/** The same methods, which fail with a `ChatError`. Interceptors can't do that: what they throw is wrapped. */
function translated<T extends object>(client: T): T {
  const methods = Object.entries<Method>(client as Record<string, Method>).map(([name, method]) => [
    name,
    (...given: readonly unknown[]) => {
      const result = method(...given);
      if (Symbol.asyncIterator in result) return translatedStream(result);
      return result.catch((thrown) => {
        throw toChatError(thrown);
      });
    },
  ]);
  return Object.fromEntries(methods);
}

async function* translatedStream(messages: AsyncIterable<unknown>): AsyncIterable<unknown> {
  try {
    yield* messages;
  } catch (thrown) {
    throw toChatError(thrown);
  }
}
