import { create, type DescMethodUnary, type DescService } from "@bufbuild/protobuf";
import type { Session } from "../../app/context";
import type { Calls } from "../../wire/calls";
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
} from "../../wire/chat_pb";

const SERVICES = {
  auth: AuthService,
  rooms: RoomService,
  messages: MessageService,
  files: FileService,
  polls: PollService,
  presence: PresenceService,
  personal: PersonalService,
  moderation: ModerationService,
  admin: AdminService,
  subscribe: SubscribeService,
} as const;

/** What a test wants a method to return; a method that is not named fails the test. */
// biome-ignore lint/suspicious/noExplicitAny: the messages are checked by `create`, at run time
export type Answers = Record<string, (request: any) => unknown>;

export interface Recorded {
  readonly method: string;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly request: any;
}

/** Calls that answer from a table (`"auth.getMe": () => ({ … })`) instead of a server, and the requests they got. */
export function callDoubles(answers: Answers): { calls: Calls; made: Recorded[] } {
  const made: Recorded[] = [];
  const client = (name: string, service: DescService): object =>
    Object.fromEntries(
      service.methods.map((method) => [
        method.localName,
        async (init: object) => {
          const unary = method as DescMethodUnary;
          const request = create(unary.input, init as never);
          const answer = answers[`${name}.${method.localName}`];
          made.push({ method: `${name}.${method.localName}`, request });
          if (answer === undefined) throw new Error(`the test did not expect ${name}.${method.localName}`);
          return create(unary.output, (await answer(request)) as never);
        },
      ]),
    );
  const calls = Object.fromEntries(
    Object.entries(SERVICES).map(([name, service]) => [name, client(name, service)]),
  );
  return { calls: calls as unknown as Calls, made };
}

/** A session for pages under test. */
export function sessionDouble(
  answers: Answers,
  identity: Session["identity"] = { kind: "cookie" },
): { session: Session; made: Recorded[] } {
  const { calls, made } = callDoubles(answers);
  return { session: { userId: "ada", identity, calls, signOut: async () => undefined }, made };
}
