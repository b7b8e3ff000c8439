import { OVER_NODE } from '../support/crypto.js';
import { testCrypto } from './suite.js';

testCrypto(OVER_NODE);
