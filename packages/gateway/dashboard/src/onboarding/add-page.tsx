import { useState } from 'preact/hooks';
import type { KeyedDevice } from '../api/types.js';
import { PageTitle } from '../layout/page-title.js';
import { AddDevice } from './add-device.js';

export function AddPage() {
  const [keyed, setKeyed] = useState<KeyedDevice>();
  return (
    <>
      <PageTitle title="Add a device" />
      <AddDevice keyed={keyed} setKeyed={setKeyed} />
    </>
  );
}
