import { useSession } from "../../app/context";
import { Field, Select } from "../../ui/Field";
import { showToast } from "../../ui/toasts";
import { Audience, type User } from "../../wire/chat_pb";
import { words } from "../../words";
import { manageWords } from "../../words/manage";
import { FormView, useForm } from "../kit/FormView";
import { LoadedView } from "../kit/LoadedView";
import { Page, Section } from "../kit/Page";
import { useLoaded } from "../kit/useLoaded";

const text = manageWords.settings.profile;

/** What others see of the user, and who may reach them. */
export function ProfilePage() {
  const { calls, userId } = useSession();
  const me = useLoaded(async (signal) => (await calls.auth.getMe({}, { signal })).user ?? null, []);
  return (
    <Page title={manageWords.settings.pages.profile} lead={text.lead(userId)}>
      <LoadedView loaded={me}>{(user) => user && <Profile user={user} onChanged={me.set} />}</LoadedView>
    </Page>
  );
}

function Profile({ user, onChanged }: { readonly user: User; readonly onChanged: (user: User) => void }) {
  const { calls } = useSession();
  const name = useForm({ displayName: user.displayName });
  const privacy = useForm({
    adding: audience(user, "adding"),
    directMessages: audience(user, "directMessages"),
  });

  const saveName = async ({ displayName }: { displayName: string }) => {
    const answer = await calls.auth.updateProfile({
      displayName: displayName.trim(),
      updateMask: { paths: ["display_name"] },
    });
    onChanged(answer.user ?? user);
    name.reset({ displayName: answer.user?.displayName ?? displayName });
    showToast(manageWords.kit.saved);
  };

  const savePrivacy = async (values: { adding: Audience; directMessages: Audience }) => {
    const answer = await calls.auth.updateProfile({
      ...values,
      updateMask: { paths: ["adding", "direct_messages"] },
    });
    onChanged(answer.user ?? user);
    privacy.reset(values);
    showToast(manageWords.kit.saved);
  };

  return (
    <>
      <FormView form={name} onSubmit={saveName} submit={words.common.save} onlyChanged>
        <Field
          label={text.displayName}
          hint={text.displayNameHint}
          error={name.errors.value.displayName}
          value={name.values.value.displayName}
          autoComplete="name"
          onValue={(value) => name.set("displayName", value)}
        />
      </FormView>
      <Section title={text.privacy} lead={text.privacyLead}>
        <FormView form={privacy} onSubmit={savePrivacy} submit={text.savePrivacy} onlyChanged>
          <Select
            label={text.adding}
            hint={text.addingHint}
            error={privacy.errors.value.adding}
            choices={audiences(user.privacy?.adding, user.privacy?.effectiveAdding)}
            value={String(privacy.values.value.adding)}
            onValue={(value) => privacy.set("adding", Number(value))}
          />
          <Select
            label={text.direct}
            hint={text.directHint}
            error={privacy.errors.value.directMessages}
            choices={audiences(user.privacy?.directMessages, user.privacy?.effectiveDirectMessages)}
            value={String(privacy.values.value.directMessages)}
            onValue={(value) => privacy.set("directMessages", Number(value))}
          />
        </FormView>
      </Section>
    </>
  );
}

function audience(user: User, what: "adding" | "directMessages"): Audience {
  return user.privacy?.[what] ?? Audience.UNSPECIFIED;
}

/** What the server's setting is can only be told while it is in force. */
function audiences(chosen: Audience | undefined, effective: Audience | undefined) {
  const names = new Map([
    [Audience.ANYONE, text.audience.anyone],
    [Audience.SHARED_ROOM, text.audience.shared],
    [Audience.NOBODY, text.audience.nobody],
  ]);
  const inForce =
    chosen === Audience.UNSPECIFIED && effective !== undefined ? names.get(effective) : undefined;
  const server = inForce ? text.audience.server(inForce) : text.audience.serverAny;
  return [
    { value: String(Audience.UNSPECIFIED), label: server },
    ...[...names].map(([value, label]) => ({ value: String(value), label })),
  ];
}
