import { useEffect } from 'preact/hooks';
import { Problem } from '../components/problem.js';
import { DeviceState } from '../fleet/device-state.js';
import { PageTitle } from '../layout/page-title.js';
import { deviceLink, query, readdress, to } from '../router.js';
import { About } from './about.js';
import { Console } from './console.js';
import { DeviceCharts } from './device-charts.js';
import { History } from './history.js';
import { Keys } from './keys.js';
import { SessionPanel } from './session-panel.js';
import { useDevice } from './use-device.js';

/** One device: talk to it, look at it, change it. */
export function DevicePage({ id }: { readonly id: string }) {
  const view = useDevice(id);
  const { device, problem } = view;
  const known = device?.id ?? id;
  useEffect(() => {
    // By its name: the page goes on when it has another one.
    if (known !== id) readdress(deviceLink(known) + location.search);
  }, [known, id]);
  if (problem?.isGone) return <Gone text={problem.text} />;
  if (device === undefined)
    return (
      <>
        <PageTitle title={id} />
        <Problem text={problem?.text} retry={view.reload} />
        {problem === undefined && <p class="muted">Reading the device …</p>}
      </>
    );
  const isHistory = query.value.get('view') === 'history';
  return (
    <>
      <p class="crumbs">
        <a href={to('')}>Fleet</a>
      </p>
      <div class="page-head">
        <PageTitle title={device.name} />
        <DeviceState device={device} />
        <span class="mono muted">{device.id}</span>
      </div>
      <Problem text={problem?.text} retry={view.reload} />
      <div class="device-page">
        <div class="talk">
          <nav class="tabs" aria-label="Messages">
            <a href={deviceLink(id)} aria-current={isHistory ? undefined : 'page'}>
              Console
            </a>
            <a href={deviceLink(id, 'history')} aria-current={isHistory ? 'page' : undefined}>
              History
            </a>
            <a href={to(`events?device=${encodeURIComponent(device.id)}`)}>Events</a>
          </nav>
          {isHistory ? <History device={device} /> : <Console view={view} device={device} />}
        </div>
        <div class="facts-column">
          <SessionPanel device={device} changed={view.setDevice} />
          <Keys device={device} changed={view.setDevice} />
          <About device={device} changed={view.setDevice} />
        </div>
      </div>
      <DeviceCharts device={device} roundTrips={view.roundTrips} />
    </>
  );
}

function Gone({ text }: { readonly text: string }) {
  return (
    <>
      <PageTitle title="No such device" />
      <p>
        {text} It may have been removed, or its id is mistyped. <a href={to('')}>Look for it in the fleet</a>,
        or see <a href={to('refused')}>who was refused</a>.
      </p>
    </>
  );
}
