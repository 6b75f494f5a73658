/** Says that this process serves; it does not ask the API, whose health is the API's to tell. */
export const dynamic = 'force-dynamic';

export const GET = (): Response => Response.json({ status: 'ok' });
