import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** Files that may read the environment: one configuration file per app, scripts, tests and tool configuration. */
const READS_ENVIRONMENT = [
  'apps/api/src/base/config/**',
  'apps/api/src/main.ts',
  'apps/api/src/seed.ts',
  'apps/gpu-runner/src/config.ts',
  'apps/gpu-runner/src/main.ts',
  'apps/portal/lib/config.ts',
  'packages/cli/src/settings.ts',
  'packages/sgmv-native/{bin,scripts,bench,test,lib}/**',
  'packages/local-services/**',
  'scripts/**',
  'e2e/**',
  'benchmarks/**',
  '**/test/**',
  '**/*.test.ts',
  '**/*.config.{js,mjs,ts}',
  'prisma.config.ts',
];

export default tseslint.config(
  {
    ignores: [
      '**/dist/',
      '**/build/',
      '**/.next/',
      '**/generated/',
      '**/node_modules/',
      '.aril/',
      '**/next-env.d.ts',
      '**/*.cjs',
    ],
  },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    languageOptions: {
      globals: Object.fromEntries(
        'process console URL URLSearchParams Buffer fetch AbortController AbortSignal setTimeout clearTimeout setInterval clearInterval setImmediate structuredClone WebAssembly performance TextEncoder TextDecoder Response Request Headers ReadableStream crypto window document navigator localStorage EventSource queueMicrotask'
          .split(' ')
          .map((name) => [name, 'readonly']),
      ),
    },
    rules: {
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'all', ignoreRestSiblings: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'off',
      'no-console': 'off',
      // Control characters in a pattern are there to be refused, or are what terminals speak.
      'no-control-regex': 'off',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-restricted-properties': [
        'error',
        {
          object: 'process',
          property: 'env',
          message: 'Read the environment in the configuration file of the app only.',
        },
      ],
    },
  },
  { files: READS_ENVIRONMENT, rules: { 'no-restricted-properties': 'off' } },
  // Nest's modules are classes without members.
  { files: ['apps/api/**'], rules: { '@typescript-eslint/no-extraneous-class': 'off' } },
);
