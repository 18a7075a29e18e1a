import { useState } from "preact/hooks";
import { useSession } from "../../app/context";
import { personPath } from "../../app/paths";
import { Avatar } from "../../ui/Avatar";
import { Field } from "../../ui/Field";
import { navigate } from "../../ui/location";
import { type User, UserKind } from "../../wire/chat_pb";
import { Code } from "../../wire/errors";
import { manageWords } from "../../words/manage";
import { FormView, useForm } from "../kit/FormView";
import { ManageRoot } from "../kit/ManageRoot";
import { Alone, Page, Row } from "../kit/Page";
import { PagedList } from "../kit/PagedList";
import { usePaged } from "../kit/usePaged";
import { useQuery } from "../kit/useQuery";
import { PersonCard } from "./PersonCard";

const text = manageWords.people;

/** `/people`, the directory, and `/people/:userId`, what there is to know of somebody. */
export function PeopleView({ params }: { readonly params: Readonly<Record<string, string>> }) {
  return (
    <ManageRoot>
      <Alone>
        {params.userId ? <PersonCard key={params.userId} userId={params.userId} /> : <Directory />}
      </Alone>
    </ManageRoot>
  );
}

function Directory() {
  const { calls, userId: me } = useSession();
  const { typed, query, setTyped } = useQuery();
  const [none, setNone] = useState(false);
  const people = usePaged<User>(
    async (pageToken, signal) => {
      const answer = await calls.auth.listPeople({ query, pageToken }, { signal });
      return { items: answer.users, next: answer.nextPageToken };
    },
    idOf,
    [query],
  );
  const error = people.error.value;
  if (!none && (error?.code === Code.PermissionDenied || error?.code === Code.Unimplemented)) setNone(true);
  if (none)
    return (
      <Page title={text.title} lead={text.noDirectory}>
        <LookUp />
      </Page>
    );
  return (
    <Page title={text.title} lead={text.lead}>
      <search class="form-view">
        <Field label={text.search} type="search" value={typed} autoComplete="off" onValue={setTyped} />
      </search>
      <PagedList
        paged={people}
        keyOf={idOf}
        label={text.list}
        empty={query ? text.nothing(query) : text.empty}
      >
        {(user) => (
          <Row
            lead={<Avatar userId={user.userId} name={user.displayName} />}
            title={<a href={personPath(user.userId)}>{user.displayName || user.userId}</a>}
            badges={[user.userId === me && text.you, user.kind === UserKind.BOT && text.bot]}
            detail={[user.userId]}
          />
        )}
      </PagedList>
    </Page>
  );
}

/** Where there is no directory, those whose user name one knows can be found. */
function LookUp() {
  const { calls } = useSession();
  const form = useForm({ userId: "" }, { USER_NOT_FOUND: "userId" });
  const look = async ({ userId }: { userId: string }) => {
    const { user } = await calls.auth.getUser({ userId: userId.trim() });
    if (user) navigate(personPath(user.userId));
  };
  return (
    <FormView form={form} onSubmit={look} submit={text.byName} onlyChanged>
      <Field
        label={manageWords.kit.userId}
        error={form.errors.value.userId}
        value={form.values.value.userId}
        autoComplete="off"
        autoCapitalize="none"
        spellcheck={false}
        onValue={(value) => form.set("userId", value)}
      />
    </FormView>
  );
}

function idOf(user: User): string {
  return user.userId;
}
