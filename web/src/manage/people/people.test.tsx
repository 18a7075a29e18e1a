// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { path } from "../../ui/location";
import { PresenceState, UserKind } from "../../wire/chat_pb";
import { ChatError, Code } from "../../wire/errors";
import { Screen } from "../kit/screen";
import { PeopleView } from "./PeopleView";

const BOB = { userId: "bob", displayName: "Bob", kind: UserKind.PERSON };

describe("people", () => {
  it("are listed where there is a directory", async () => {
    const screen = await Screen.of(<PeopleView params={{}} />, {
      "auth.listPeople": () => ({ users: [{ userId: "ada", displayName: "Ada" }, BOB] }),
    });
    expect(screen.text).toContain("Adayouada");
    expect([...document.querySelectorAll("a")].map((link) => link.getAttribute("href"))).toContain(
      "/people/bob",
    );
  });

  it("are looked up by their name where there is none", async () => {
    const screen = await Screen.of(<PeopleView params={{}} />, {
      "auth.listPeople": () => {
        throw new ChatError(Code.PermissionDenied, "no directory", { reason: "PERMISSION_DENIED" });
      },
      "auth.getUser": ({ userId }) => {
        if (userId !== "bob")
          throw new ChatError(Code.NotFound, "there is no user x", { reason: "USER_NOT_FOUND" });
        return { user: BOB };
      },
    });
    await screen.type("User name", "x");
    await screen.press("Look up");
    expect(screen.about("User name")).toBe("There is no user x.");
    await screen.type("User name", " bob ");
    await screen.press("Look up");
    expect(path.value).toBe("/people/bob");
  });

  it("have a card, from which they are blocked and unblocked", async () => {
    const screen = await Screen.of(<PeopleView params={{ userId: "bob" }} />, {
      "auth.getUser": () => ({ user: BOB }),
      "presence.getPresence": () => ({
        presences: [
          { userId: "bob", state: PresenceState.AWAY, status: { emoji: "🌴", text: "On holiday" } },
        ],
      }),
      "auth.listBlocks": ({ pageToken }) =>
        pageToken === "" ? { blocks: [{ user: { userId: "al" } }], nextPageToken: "2" } : {},
      "auth.createBlock": () => ({ block: { user: BOB }, leftRooms: 2 }),
      "auth.deleteBlock": () => ({}),
    });
    expect(screen.text).toContain("🌴 On holiday");
    expect(screen.text).toContain("Away");
    await screen.press("Block …");
    await screen.press("Block");
    expect(screen.text).toContain("You have blocked this person.");
    await screen.press("Unblock");
    expect(screen.asked("auth.deleteBlock")).toMatchObject([{ userId: "bob" }]);
    expect(screen.text).not.toContain("You have blocked");
  });
});
