import { Needs } from '../components/needs.js';
import { PageTitle } from '../layout/page-title.js';
import { FirstRun, firstDevice, isTyping } from '../onboarding/first-run.js';
import { to } from '../router.js';
import { status } from '../state/connection.js';
import { DeviceTable } from './device-table.js';
import { FleetNumbers } from './fleet-numbers.js';

/** All devices: how they are together, and each. */
export function FleetPage() {
  const { registered = 0 } = status.value?.devices ?? {};
  if (registered === 0 || firstDevice.value !== undefined || isTyping.value) return <FirstRun />;
  return (
    <>
      <div class="page-head">
        <PageTitle title="Fleet" />
        <Needs least="admin" to="add devices">
          <a class="button primary" href={to('add')}>
            Add device
          </a>
        </Needs>
      </div>
      <FleetNumbers />
      <DeviceTable />
    </>
  );
}
