/** The layering of STYLE.md, as errors. */
const API = '^apps/api/src';
const PORTAL = '^apps/portal';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'api-base-knows-nothing-above',
      comment: 'base ← models ← core: infrastructure has no domain words.',
      severity: 'error',
      from: { path: `${API}/base/` },
      to: { path: `${API}/(models|core|integrations)/` },
    },
    {
      name: 'api-models-below-core',
      severity: 'error',
      from: { path: `${API}/models/` },
      to: { path: `${API}/(core|integrations)/` },
    },
    {
      name: 'api-integrations-use-base-only',
      severity: 'error',
      from: { path: `${API}/integrations/` },
      to: { path: `${API}/(core|models)/` },
    },
    {
      name: 'only-models-touch-prisma',
      comment: 'Services and resolvers ask a model; only models and base/prisma see the ORM.',
      severity: 'error',
      from: { path: `${API}/(core|integrations)/` },
      to: {
        path: '(^apps/api/src/generated/prisma/(client|internal)|^node_modules/@prisma/)',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'feature-to-feature-through-the-service',
      comment:
        'A feature may use what another exports (service, module, types), not its resolver, model access or jobs.',
      severity: 'error',
      from: { path: `${API}/core/([^/]+)/.+` },
      to: {
        path: `${API}/core/([^/]+)/.+\\.(resolver|controller|job|processor)\\.ts$`,
        pathNot: `${API}/core/$1/`,
      },
    },
    {
      name: 'api-sees-only-inspect-of-the-engine',
      severity: 'error',
      from: { path: '^apps/api/' },
      to: { path: '^packages/sgmv-native/', pathNot: '^packages/sgmv-native/(dist|lib)/inspect\\.' },
    },
    {
      name: 'api-and-runner-share-only-contracts-and-store',
      severity: 'error',
      from: { path: '^apps/api/' },
      to: { path: '^apps/(gpu-runner|portal)/' },
    },
    {
      name: 'runner-knows-no-other-app',
      severity: 'error',
      from: { path: '^apps/gpu-runner/' },
      to: { path: '^apps/(api|portal)/' },
    },
    {
      name: 'runner-has-no-database',
      severity: 'error',
      from: { path: '^apps/gpu-runner/src/' },
      to: { path: '^node_modules/(@prisma|prisma|pg)/' },
    },
    {
      name: 'only-engine-imports-the-addon',
      severity: 'error',
      from: { path: '^apps/gpu-runner/src/', pathNot: '^apps/gpu-runner/src/engine/' },
      to: { path: '^packages/sgmv-native/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'portal-has-one-door-to-graphql',
      comment: 'Pages, features and ui ask lib/api; nothing else speaks GraphQL; the React hooks of urql are plumbing.',
      severity: 'error',
      from: { path: `${PORTAL}/(app|features|ui)/`, pathNot: '^apps/portal/app/providers' },
      to: { path: '^node_modules/(graphql/|graphql-sse/|graphql-ws/|@urql/)' },
    },
    {
      name: 'portal-ui-knows-no-data',
      severity: 'error',
      from: { path: `${PORTAL}/ui/` },
      to: { path: `${PORTAL}/(features|app|lib/api)/` },
    },
    {
      name: 'portal-lib-below-features',
      severity: 'error',
      from: { path: `${PORTAL}/lib/` },
      to: { path: `${PORTAL}/(features|app|ui)/` },
    },
    {
      name: 'portal-knows-no-other-app',
      severity: 'error',
      from: { path: `${PORTAL}/` },
      to: { path: '^apps/(api|gpu-runner)/' },
    },
    { name: 'packages-know-no-app', severity: 'error', from: { path: '^packages/' }, to: { path: '^apps/' } },
    {
      name: 'cli-is-a-program-of-a-customer',
      comment: 'It asks the public API, and has nothing that a customer has not.',
      severity: 'error',
      from: { path: '^packages/cli/src/' },
      to: { path: '^packages/(?!cli/)' },
    },
    {
      name: 'contracts-stand-alone',
      severity: 'error',
      from: { path: '^packages/contracts/src/' },
      to: { path: '^packages/(?!contracts/)' },
    },
    {
      name: 'no-undeclared-packages',
      severity: 'error',
      from: { pathNot: '(/dist/|^e2e/|\\.test\\.|/test/|\\.config\\.)' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no-test-code-in-production',
      severity: 'error',
      from: { pathNot: '(\\.test\\.|/test/|^e2e/|/bench/)' },
      to: { path: '(\\.test\\.|/test/)' },
    },
  ],
  options: {
    // A workspace's own build is what the others import: seen as a target, not read.
    doNotFollow: { path: '(node_modules|/dist/)' },
    exclude: { path: '(^apps/[^/]+/dist/|/build/|/\\.next/)' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'default', 'node'],
      extensions: ['.ts', '.tsx', '.mts', '.mjs', '.js', '.cjs'],
    },
  },
};
