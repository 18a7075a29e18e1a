// @vitest-environment happy-dom
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { path } from "../../ui/location";
import { History, Posting, Role, RoomKind, RoomSchema } from "../../wire/chat_pb";
import { ChatError, Code } from "../../wire/errors";
import { Screen } from "../kit/screen";
import { CreateRoomDialog } from "./CreateRoomDialog";
import { GeneralPage } from "./GeneralPage";
import { InviteLinksPage } from "./InviteLinksPage";
import { MembersPage } from "./MembersPage";
import { RoomBrowser } from "./RoomBrowser";

const ROOM = {
  roomId: "r1",
  name: "plans",
  topic: "What next",
  kind: RoomKind.PUBLIC,
  history: History.ALL,
  posting: Posting.MEMBERS,
  role: Role.OWNER,
  memberCount: 3,
  slowMode: { seconds: 45n },
};
const room = (changes: { role?: Role } = {}) => create(RoomSchema, { ...ROOM, ...changes });
const none = () => undefined;

describe("making a room", () => {
  it("asks for the same room again where the answer was lost, and says which name is taken", async () => {
    const failures = [
      new ChatError(Code.Unavailable, "lost"),
      new ChatError(Code.AlreadyExists, "there is a room plans", { reason: "ROOM_EXISTS" }),
    ];
    const screen = await Screen.of(<CreateRoomDialog onClose={none} />, {
      "rooms.createRoom": () => {
        const failure = failures.shift();
        if (failure) throw failure;
        return { room: { roomId: "r2" } };
      },
    });
    await screen.type("Name", " plans ");
    await screen.press("Create room");
    await screen.press("Create room");
    expect(screen.about("Name")).toBe("There is a room plans.");
    await screen.type("Name", "plans 2");
    await screen.press("Create room");
    const [first, second, third] = screen.asked("rooms.createRoom");
    expect(first).toMatchObject({ name: "plans", kind: RoomKind.PRIVATE });
    expect(second.requestId).toBe(first.requestId);
    expect(third.requestId).not.toBe(first.requestId);
    expect(path.value).toBe("/rooms/r2");
  });
});

describe("all rooms", () => {
  it("shows what can be joined, and opens a room that was", async () => {
    const screen = await Screen.of(<RoomBrowser />, {
      "rooms.listPublicRooms": () => ({
        rooms: [
          { roomId: "in", name: "mine", role: Role.MEMBER },
          { roomId: "out", name: "other" },
          { roomId: "old", name: "past", archiveTime: { seconds: 1n } },
        ],
      }),
      "rooms.joinRoom": () => ({}),
    });
    expect(screen.text).toContain("minejoined");
    expect(() => screen.button("Join: mine")).toThrow();
    expect(() => screen.button("Join: past")).toThrow();
    await screen.press("Join: other");
    expect(screen.asked("rooms.joinRoom")).toMatchObject([{ roomId: "out" }]);
    expect(path.value).toBe("/rooms/out");
  });
});

describe("a room's settings", () => {
  it("sends what was changed, and nothing else", async () => {
    const screen = await Screen.of(<GeneralPage room={room()} onChanged={none} />, {
      "rooms.updateRoom": ({ room }) => ({ room: { ...ROOM, ...room, role: Role.OWNER } }),
    });
    // A length that none of the choices has is one of them, so that saving does not change it.
    expect(screen.field("Slow mode").value).toBe("45000");
    await screen.type("Name", "plans of 2027");
    await screen.press("Save");
    const [request] = screen.asked("rooms.updateRoom");
    expect(request.updateMask.paths).toEqual(["name"]);
    expect(request.room).toMatchObject({ roomId: "r1", name: "plans of 2027" });
    expect(screen.button("Save").disabled).toBe(true);
  });

  it("can be seen and not changed by members, and how much can be read is the owners' choice", async () => {
    const member = await Screen.of(<GeneralPage room={room({ role: Role.MEMBER })} onChanged={none} />, {});
    expect([member.field("Name").disabled, member.field("What members can read").disabled]).toEqual([
      true,
      true,
    ]);
    expect(member.text).not.toContain("Delete this room");
    const admin = await Screen.of(<GeneralPage room={room({ role: Role.ADMIN })} onChanged={none} />, {});
    expect([admin.field("Name").disabled, admin.field("What members can read").disabled]).toEqual([
      false,
      true,
    ]);
  });

  it("deletes the room once its name is typed", async () => {
    const screen = await Screen.of(<GeneralPage room={room()} onChanged={none} />, {
      "rooms.deleteRoom": () => ({}),
    });
    await screen.press("Delete room …");
    expect(screen.text).toContain("for all of its 3 members");
    expect(screen.button("Delete room").disabled).toBe(true);
    await screen.type("Type “plans” to confirm", "plan");
    expect(screen.button("Delete room").disabled).toBe(true);
    await screen.type("Type “plans” to confirm", "plans");
    await screen.press("Delete room");
    expect(screen.asked("rooms.deleteRoom")).toMatchObject([{ roomId: "r1", confirmName: "plans" }]);
    expect(path.value).toBe("/");
  });

  it("tells a last owner what to do instead of leaving", async () => {
    const screen = await Screen.of(<GeneralPage room={room()} onChanged={none} />, {
      "rooms.leaveRoom": () => {
        throw new ChatError(Code.FailedPrecondition, "last owner", { reason: "LAST_OWNER" });
      },
    });
    await screen.press("Leave …");
    await screen.press("Leave");
    expect(screen.text).toContain("Make somebody else an owner");
  });
});

describe("members", () => {
  const members = [
    { user: { userId: "ada", displayName: "Ada" }, role: Role.ADMIN },
    { user: { userId: "bob", displayName: "Bob" }, role: Role.MEMBER },
    { user: { userId: "cleo", displayName: "Cleo" }, role: Role.OWNER },
  ];
  const answers = { "rooms.listMembers": () => ({ members }) };
  const menuOf = async (screen: Screen, who: string): Promise<string[]> => {
    await screen.press(`What to do with ${who}`);
    const items = [...document.querySelectorAll(".menu__item")].map((item) => item.textContent ?? "");
    await screen.press(`What to do with ${who}`);
    return items;
  };

  it("can be removed and banned by those above them", async () => {
    const screen = await Screen.of(
      <MembersPage room={room({ role: Role.ADMIN })} onChanged={none} />,
      answers,
    );
    expect(await menuOf(screen, "Bob")).toEqual([
      "Show profile",
      "Write directly",
      "Change role …",
      "Remove …",
      "Ban …",
    ]);
    expect(await menuOf(screen, "Cleo")).toEqual(["Show profile", "Write directly"]);
    expect(await menuOf(screen, "Ada")).toEqual(["Show profile", "Change role …"]);
  });

  it("says whether somebody was added or invited", async () => {
    const seen: number[] = [];
    const screen = await Screen.of(
      <MembersPage room={room()} onChanged={({ memberCount }) => seen.push(memberCount)} />,
      {
        ...answers,
        "rooms.addMember": ({ userId }) =>
          userId === "dan"
            ? { member: { user: { userId }, role: Role.MEMBER } }
            : { invitation: { roomId: "r1" } },
      },
    );
    await screen.press("Add somebody");
    await screen.type("User name", "dan");
    await screen.press("Add");
    expect(screen.text).toContain("dan");
    await screen.press("Add somebody");
    await screen.type("User name", "eve");
    await screen.press("Add");
    expect(screen.text).not.toContain("eve");
    expect(seen).toEqual([4]);
  });
});

describe("invite links", () => {
  it("are made with what was chosen, and shown whole once", async () => {
    const screen = await Screen.of(<InviteLinksPage room={room()} onChanged={none} />, {
      "rooms.listInvites": () => ({}),
      "rooms.createInvite": (request) => ({
        invite: { inviteId: "i1", maxUses: request.maxUses },
        code: "CODE",
      }),
    });
    await screen.press("New link");
    await screen.type("How many people can use it", "many");
    await screen.press("New link");
    expect(screen.about("How many people can use it")).toContain("whole number");
    await screen.type("How many people can use it", "3");
    await screen.press("New link");
    expect(screen.asked("rooms.createInvite")).toMatchObject([
      {
        roomId: "r1",
        role: Role.MEMBER,
        maxUses: 3,
        lifetime: { seconds: 604_800n },
        allowsRegistration: false,
      },
    ]);
    const shown = [...document.querySelectorAll("input")].map((input) => input.value);
    expect(shown).toContain(`${location.origin}/#CODE`);
    await screen.press("I have copied it");
    expect(screen.text).toContain("Used 0 of 3 times");
  });
});
