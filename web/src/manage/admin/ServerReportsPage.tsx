import { useSession } from "../../app/context";
import { showToast } from "../../ui/toasts";
import type { Report } from "../../wire/chat_pb";
import { manageWords } from "../../words/manage";
import { Page } from "../kit/Page";
import { PagedList } from "../kit/PagedList";
import { usePaged } from "../kit/usePaged";
import { ReportRow, reportKey } from "../rooms/ReportsPage";

const text = manageWords.admin.reports;
const { reports: own } = manageWords.rooms;

/** The reports of messages in all rooms. */
export function ServerReportsPage() {
  const { calls } = useSession();
  const reports = usePaged<Report>(
    async (pageToken, signal) => {
      const answer = await calls.admin.listServerReports({ pageToken }, { signal });
      return { items: answer.reports, next: answer.nextPageToken };
    },
    reportKey,
    [],
  );
  const resolve = async ({ roomId, seq }: Report) => {
    const answer = await calls.admin.resolveServerReport({ roomId, seq });
    for (const each of reports.items.value)
      if (each.roomId === roomId && each.seq === seq) reports.drop(each);
    showToast(own.resolved(answer.resolved));
  };
  return (
    <Page title={manageWords.admin.pages.reports} lead={text.lead}>
      <PagedList paged={reports} keyOf={reportKey} label={own.list} empty={own.empty}>
        {(report) => (
          <ReportRow report={report} where={text.room(report.roomId)} onResolve={() => resolve(report)} />
        )}
      </PagedList>
    </Page>
  );
}
