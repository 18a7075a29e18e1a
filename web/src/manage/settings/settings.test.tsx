// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { Scope, SessionKind } from "../../wire/chat_pb";
import { ChatError, Code } from "../../wire/errors";
import { Screen } from "../kit/screen";
import { codeOf, InvitationsPage } from "./InvitationsPage";
import { PasswordPage } from "./PasswordPage";
import { ProfilePage } from "./ProfilePage";
import { SessionsPage } from "./SessionsPage";
import { StatusPage } from "./StatusPage";
import { TokensPage } from "./TokensPage";

const LOGIN = SessionKind.LOGIN;
const TOKEN = SessionKind.ACCESS_TOKEN;

describe("the profile", () => {
  it("saves the name, and says beside the field what is wrong with it", async () => {
    let refuse = true;
    const screen = await Screen.of(<ProfilePage />, {
      "auth.getMe": () => ({ user: { userId: "ada", displayName: "Ada" } }),
      "auth.updateProfile": ({ displayName }) => {
        if (refuse)
          throw new ChatError(Code.InvalidArgument, "display_name must not be empty", {
            field: "display_name",
          });
        return { user: { userId: "ada", displayName } };
      },
    });
    await screen.type("Display name", " Ada L. ");
    await screen.press("Save");
    expect(screen.about("Display name")).toContain("Must not be empty.");
    expect(document.activeElement).toBe(screen.field("Display name"));

    refuse = false;
    await screen.type("Display name", " Ada L. ");
    await screen.press("Save");
    expect(screen.field("Display name").value).toBe("Ada L.");
    expect(screen.asked("auth.updateProfile").at(-1)).toMatchObject({
      displayName: "Ada L.",
      updateMask: { paths: ["display_name"] },
    });
  });
});

describe("the status", () => {
  it("is saved with the time after which it goes", async () => {
    const screen = await Screen.of(<StatusPage />, {
      "presence.getPresence": () => ({
        presences: [{ userId: "ada", status: { text: "Here", emoji: "🌍" } }],
      }),
      "presence.updateStatus": ({ text, emoji }) => ({
        presence: { userId: "ada", status: { text, emoji } },
      }),
    });
    // What is shown is found out without changing it.
    expect(screen.asked("presence.updateStatus")[0]).toMatchObject({
      emoji: "🌍",
      updateMask: { paths: ["emoji"] },
    });
    await screen.type("What you are doing", "Lunch");
    await screen.press("Set status");
    expect(screen.asked("presence.updateStatus")[1].lifetime).toBeUndefined();

    await screen.press("🍴 Having lunch");
    await screen.press("Set status");
    expect(screen.asked("presence.updateStatus")[2]).toMatchObject({
      text: "Having lunch",
      emoji: "🍴",
      lifetime: { seconds: 3600n },
    });
  });
});

describe("the password", () => {
  it("is not sent where it was not written twice, and a wrong one is marked", async () => {
    const screen = await Screen.of(<PasswordPage />, {
      "auth.changePassword": ({ currentPassword }) => {
        if (currentPassword !== "right")
          throw new ChatError(Code.Unauthenticated, "the current password is wrong", {
            reason: "LOGIN_FAILED",
            field: "current_password",
          });
        return { revokedSessions: 2, liveBotTokens: 1 };
      },
    });
    await screen.type("Current password", "wrong");
    await screen.type("New password", "12345678");
    await screen.type("New password again", "1234567");
    await screen.press("Change password");
    expect(screen.asked("auth.changePassword")).toEqual([]);
    expect(screen.about("New password again")).toBe("This is not what you wrote above.");

    await screen.type("New password again", "12345678");
    await screen.press("Change password");
    expect(screen.about("Current password")).toBe("The current password is wrong.");

    await screen.type("Current password", "right");
    await screen.press("Change password");
    expect(screen.text).toContain("2 other sessions have ended. 1 access token of your bots still works.");
    expect(screen.field("New password").value).toBe("");
  });
});

describe("sessions", () => {
  const sessions = [
    { sessionId: "s1", kind: LOGIN, deviceName: "Laptop" },
    { sessionId: "t1", kind: TOKEN, deviceName: "Backup" },
    { sessionId: "s2", kind: LOGIN, deviceName: "Phone" },
  ];
  const answers = {
    "auth.getMe": () => ({ user: { userId: "ada" }, session: { sessionId: "s1" } }),
    "auth.listSessions": () => ({ sessions }),
    "auth.revokeSessions": () => ({ revokedSessions: 1 }),
  };

  it("marks this one, which has no button, and ends another after a question", async () => {
    const screen = await Screen.of(<SessionsPage />, answers);
    expect(screen.text).toContain("Laptopthis browser");
    expect(screen.text).not.toContain("Backup");
    expect(() => screen.button("End the session “Laptop”?")).toThrow();
    await screen.press("End the session “Phone”?");
    expect(screen.asked("auth.revokeSessions")).toEqual([]);
    await screen.press("End");
    expect(screen.asked("auth.revokeSessions")).toMatchObject([{ sessionIds: ["s2"] }]);
    expect(screen.text).not.toContain("Phone");
  });

  it("says in the dialog why it failed, and keeps the row", async () => {
    const screen = await Screen.of(<SessionsPage />, {
      ...answers,
      "auth.revokeSessions": () => {
        throw new ChatError(Code.ResourceExhausted, "too many calls", { reason: "RATE_LIMITED" });
      },
    });
    await screen.press("End the session “Phone”?");
    await screen.press("End");
    expect(screen.text).toContain("Too many calls.");
    await screen.press("Cancel");
    expect(screen.text).toContain("Phone");
    expect(screen.text).not.toContain("Too many calls.");
  });
});

describe("access tokens", () => {
  it("shows a new one once, with the rights and the time that were chosen", async () => {
    const screen = await Screen.of(<TokensPage />, {
      "auth.listSessions": () => ({ sessions: [] }),
      "auth.createAccessToken": ({ name, scopes }) => ({
        session: { sessionId: "t1", kind: TOKEN, deviceName: name, scopes },
        token: "gc_secret",
      }),
    });
    await screen.press("New token");
    await screen.type("What it is for", "Backup");
    await screen.press("New token");
    expect(screen.asked("auth.createAccessToken")).toMatchObject([
      { name: "Backup", scopes: [Scope.READ], lifetime: { seconds: 90n * 86_400n } },
    ]);
    const shown = () => [...document.querySelectorAll("input")].some((input) => input.value === "gc_secret");
    expect(shown()).toBe(true);
    await screen.press("I have copied it");
    expect(shown()).toBe(false);
    expect(screen.text).toContain("Backup");
  });

  it("asks for at least one right", async () => {
    const screen = await Screen.of(<TokensPage />, { "auth.listSessions": () => ({}) });
    await screen.press("New token");
    await screen.type("What it is for", "Backup");
    screen.field("Read").click();
    await screen.press("New token");
    expect(screen.text).toContain("Choose at least one.");
    expect(screen.asked("auth.createAccessToken")).toEqual([]);
  });
});

describe("invitations", () => {
  it("takes the code out of what is pasted", () => {
    expect(["abc", " abc\n", "https://chat.example.org/#abc"].map(codeOf)).toEqual(["abc", "abc", "abc"]);
  });

  it("says in the list that there are none, and which could not be loaded", async () => {
    let down = true;
    const screen = await Screen.of(<InvitationsPage />, {
      "rooms.listInvitations": () => {
        if (down) throw new ChatError(Code.Unavailable, "");
        return {};
      },
    });
    expect(screen.text).toContain("The server can’t be reached.");
    expect(screen.text).not.toContain("No invitations wait");
    down = false;
    await screen.press("Try again");
    expect(screen.text).toContain("No invitations wait for you.");
  });
});
