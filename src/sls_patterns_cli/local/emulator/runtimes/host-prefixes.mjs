/**
 * Lets an operation such as sync-states reach the endpoint, whose host knows no prefixes.
 *
 * The SDK for JavaScript does not know AWS_DISABLE_HOST_PREFIX_INJECTION.
 */

import dns from "node:dns";
import { syncBuiltinESMExports } from "node:module";

const { AWS_ENDPOINT_URL } = process.env;
if (AWS_ENDPOINT_URL) {
  const { lookup } = dns;
  const { hostname } = new URL(AWS_ENDPOINT_URL);
  dns.lookup = (name, ...rest) => lookup(name.endsWith(`-${hostname}`) ? hostname : name, ...rest);
  syncBuiltinESMExports();
}
