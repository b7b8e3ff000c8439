import { Notices } from './components/notices.js';
import { DevicePage } from './device/device-page.js';
import { EventsPage } from './events/events-page.js';
import { FleetPage } from './fleet/fleet-page.js';
import { Banner } from './layout/banner.js';
import { Header } from './layout/header.js';
import { Login } from './login/login.js';
import { AddPage } from './onboarding/add-page.js';
import { RefusedPage } from './refused/refused-page.js';
import { path } from './router.js';
import { SettingsPage } from './settings/settings-page.js';
import { line, status } from './state/connection.js';

/** All of the page: what the path says, below what is to be said of the line to the gateway. */
export function App() {
  const isOut = line.value === 'signed-out';
  return (
    <>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <Header />
      <main id="main" tabIndex={-1}>
        {isOut ? <Login /> : <Banner />}
        {/* Behind the login stays what was shown, with all that was typed. */}
        {status.value !== undefined && (
          <div inert={isOut} class={isOut ? 'behind' : ''}>
            <Page />
          </div>
        )}
      </main>
      <Notices />
    </>
  );
}

function Page() {
  const place = path.value;
  if (place.startsWith('devices/')) {
    const id = decodeURIComponent(place.slice('devices/'.length));
    return <DevicePage key={id} id={id} />;
  }
  if (place === 'add') return <AddPage />;
  if (place === 'refused') return <RefusedPage />;
  if (place === 'events') return <EventsPage />;
  if (place === 'settings') return <SettingsPage />;
  return <FleetPage />;
}
