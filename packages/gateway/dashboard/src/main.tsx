import { render } from 'preact';
import { App } from './app.js';
import { startRouter } from './router.js';
import { startClock } from './state/clock.js';
import { startConnection } from './state/connection.js';
import { startTheme } from './state/theme.js';

startTheme();
startRouter();
startClock();
startConnection();
render(<App />, document.getElementById('app')!);
