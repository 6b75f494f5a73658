import { fileURLToPath } from 'node:url';
import type { NextConfig } from 'next';
import { securityHeaders } from './lib/security-headers';

const config: NextConfig = {
  // infra/Dockerfile asks for a server with only what it needs; `next start` wants the usual one.
  ...(process.env['NEXT_OUTPUT'] === 'standalone' && { output: 'standalone' as const }),
  poweredByHeader: false,
  reactStrictMode: true,
  // The proxy under /api relays server-sent events; a compressor in front of them would hold tokens back.
  compress: false,
  // The monorepo's root, so that the tracer neither guesses nor warns.
  turbopack: { root: fileURLToPath(new URL('../..', import.meta.url)) },
  // Browsers ask for it wherever they have met no icon's link, as on a page left before it was read.
  rewrites: async () => [{ source: '/favicon.ico', destination: '/icon.svg' }],
  headers: async () => [{ source: '/(.*)', headers: securityHeaders }],
};

export default config;
