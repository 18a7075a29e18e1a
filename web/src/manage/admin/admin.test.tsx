// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { UserKind } from "../../wire/chat_pb";
import { ChatError, Code } from "../../wire/errors";
import { Screen } from "../kit/screen";
import { AdminView } from "./AdminView";

const BOB = { user: { userId: "bob", displayName: "Bob", kind: UserKind.PERSON }, sessions: 2 };
const about = {
  "admin.listUsers": () => ({ users: [{ user: { userId: "bobby" } }, BOB] }),
  "admin.listUserSessions": () => ({ sessions: [{ sessionId: "s1", deviceName: "Phone" }] }),
  "admin.listUserIdentities": () => ({}),
};

describe("administration", () => {
  it("is for administrators", async () => {
    const screen = await Screen.of(<AdminView params={{}} />, {
      "admin.listUsers": () => {
        throw new ChatError(Code.PermissionDenied, "no", { reason: "PERMISSION_DENIED" });
      },
    });
    expect(screen.text).toBe("RoomsOnly administrators of this server see these pages.");
  });

  it("says what a block would do before it does it", async () => {
    let blocked = false;
    const screen = await Screen.of(<AdminView params={{ userId: "bob" }} />, {
      ...about,
      "admin.listUsers": () => ({ users: [{ ...BOB, ...(blocked && { blockTime: { seconds: 1n } }) }] }),
      "admin.blockUser": ({ validateOnly }) => {
        blocked ||= !validateOnly;
        return {
          user: { ...BOB, ...(blocked && { blockTime: { seconds: 1n } }) },
          unownedRooms: [{ roomId: "r1", name: "plans" }],
          unownedRoomCount: 12,
          stoppedBots: [{ userId: "bob.builds" }],
          stoppedBotCount: 1,
        };
      },
      "admin.unblockUser": () => ({ user: BOB }),
    });
    await screen.press("Block account …");
    expect(screen.text).toContain("logged out at once (2 sessions)");
    expect(screen.text).toContain("no owner left: plans and 11 more");
    expect(screen.text).toContain("These bots stop: bob.builds.");
    expect(blocked).toBe(false);
    await screen.press("Block");
    expect(blocked).toBe(true);
    expect(screen.text).toContain("Blocked since");
    blocked = false;
    await screen.press("Unblock");
    expect(screen.asked("admin.unblockUser")).toMatchObject([{ userId: "bob" }]);
    expect(screen.text).toContain("Active");
  });

  it("gives a new password, and says in the form what is wrong with it", async () => {
    const screen = await Screen.of(<AdminView params={{ userId: "bob" }} />, {
      ...about,
      "admin.resetPassword": ({ newPassword }) => {
        if (newPassword.length < 8)
          throw new ChatError(Code.InvalidArgument, "new_password must be at least 8 bytes", {
            field: "new_password",
          });
        return { revokedSessions: 2 };
      },
    });
    await screen.press("New password …");
    await screen.type("Password", "short");
    await screen.press("Set password");
    expect(screen.about("Password")).toContain("Must be at least 8 bytes.");
    await screen.type("Password", "long enough");
    await screen.press("Set password");
    expect(screen.asked("admin.resetPassword").at(-1)).toMatchObject({ userId: "bob", endBotTokens: false });
    expect(document.querySelector("dialog")).toBeNull();
  });

  it("finds ownerless bots on whichever page they are", async () => {
    const screen = await Screen.of(<AdminView params={{ section: "bots" }} />, {
      "admin.listUsers": ({ pageToken }) =>
        pageToken === ""
          ? { users: [BOB], nextPageToken: "2" }
          : {
              users: [
                {
                  user: { userId: "x.bot", kind: UserKind.BOT, ownerUserId: "x" },
                  ownerBlocked: true,
                  endedTokens: 2,
                },
              ],
            },
      "admin.assignBotOwner": () => ({}),
    });
    await screen.settle();
    expect(screen.text).toContain("x.botx.botof x2 tokens have ended");
    await screen.press("Give to somebody");
    await screen.type("User name of the new owner", "bob");
    await screen.press("Give the bot");
    expect(screen.asked("admin.assignBotOwner")).toMatchObject([{ userId: "x.bot", ownerUserId: "bob" }]);
    expect(screen.text).toContain("Every bot has an owner");
  });

  it("takes all reports of a message out of the list with it", async () => {
    const report = (seq: bigint, userId: string) => ({ roomId: "r1", seq, senderUserId: "eve", userId });
    const screen = await Screen.of(<AdminView params={{ section: "reports" }} />, {
      ...about,
      "admin.listServerReports": () => ({ reports: [report(1n, "a"), report(1n, "b"), report(2n, "a")] }),
      "admin.resolveServerReport": () => ({ resolved: 2 }),
    });
    await screen.press("Done");
    expect(screen.text).toContain("Message 1 of eve");
    expect(screen.text).not.toContain("Message 2 of eve");
  });
});
