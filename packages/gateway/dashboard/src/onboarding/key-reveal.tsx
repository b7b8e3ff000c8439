import { useState } from 'preact/hooks';
import type { KeyedDevice } from '../api/types.js';
import { CopyButton } from '../components/copy-button.js';
import { QrCode } from '../components/qr-code.js';
import { CodeTabs } from './code-tabs.js';

/** The key of a device, this once, in all the forms in which it gets into one. */
export function KeyReveal({ keyed: { device, key, urls } }: { readonly keyed: KeyedDevice }) {
  const [showsQr, setShowsQr] = useState(false);
  return (
    <div class="key-reveal">
      {key === null ? (
        <p>The device has its key already: it is not shown here.</p>
      ) : (
        <>
          <p class="banner warn">
            This key is shown only now. Whoever has it can be this device; if it is lost, rotate it.
          </p>
          <div class="key">
            <span class="label" id="key-label">
              Key
            </span>
            <output aria-labelledby="key-label" class="mono" data-testid="device-key">
              {key}
            </output>
            <CopyButton text={key} what="the key" />
            <button type="button" class="small" aria-expanded={showsQr} onClick={() => setShowsQr(!showsQr)}>
              {showsQr ? 'Hide QR code' : 'Show QR code'}
            </button>
          </div>
          {showsQr && <QrCode text={key} label={`QR code of the key of ${device.name}`} />}
        </>
      )}
      <p class="muted">
        Device id <code>{device.id}</code> <CopyButton text={device.id} what="the device id" />
      </p>
      <CodeTabs deviceId={device.id} key_={key} urls={urls} />
    </div>
  );
}
