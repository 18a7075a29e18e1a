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
  return {
    auth: createClient(AuthService, transport),
    rooms: createClient(RoomService, transport),
    messages: createClient(MessageService, transport),
    files: createClient(FileService, transport),
    polls: createClient(PollService, transport),
    presence: createClient(PresenceService, transport),
    personal: createClient(PersonalService, transport),
    moderation: createClient(ModerationService, transport),
    admin: createClient(AdminService, transport),
    subscribe: createClient(SubscribeService, transport),
  };
}
