// Reads INBOX with imapflow, goes away while another session changes it, and comes back; prints what it was told.
// The environment says where: IMAP_PORT, IMAP_USER, IMAP_TOKEN.

import { ImapFlow } from "imapflow";

function session(qresync) {
    return new ImapFlow({
        host: "127.0.0.1",
        port: Number(process.env.IMAP_PORT),
        secure: false,
        doSTARTTLS: false,
        auth: { user: process.env.IMAP_USER, pass: process.env.IMAP_TOKEN },
        logger: false,
        qresync,
        disableAutoIdle: true,
        socketTimeout: 20_000,
        greetingTimeout: 20_000,
    });
}

async function during(client, work) {
    await client.connect();
    try {
        return await work(client);
    } finally {
        await client.logout().catch(() => client.close());
    }
}

const known = await during(session(true), async (client) => {
    const { highestModseq, uidValidity } = await client.mailboxOpen("INBOX");
    return { highestModseq, uidValidity };
});

const others = await during(session(false), async (client) => {
    await client.mailboxOpen("INBOX");
    await client.messageFlagsAdd("2,4", ["resynced"], { uid: true });
    // Changed since: held back.
    await client.messageFlagsAdd("2:3", ["conditional"], { uid: true, unchangedSince: known.highestModseq });
    await client.messageDelete("1,3", { uid: true });
    return { enabled: [...client.enabled] };
});

const back = session(true);
const told = { flags: [], expunged: [], changed: [] };
back.on("flags", ({ uid, flags, modseq }) => told.flags.push({ uid, flags: [...flags], later: modseq > known.highestModseq }));
back.on("expunge", ({ uid, vanished, earlier }) => told.expunged.push({ uid, vanished, earlier }));
const result = await during(back, async (client) => {
    const opened = await client.mailboxOpen("INBOX", { changedSince: known.highestModseq, uidValidity: known.uidValidity });
    const selected = { flags: told.flags.splice(0), expunged: told.expunged.splice(0) };
    const query = { uid: true, flags: true };
    for await (const { uid } of client.fetch("1:*", query, { uid: true, changedSince: known.highestModseq })) {
        told.changed.push(uid);
    }
    const fetched = { changed: told.changed, expunged: told.expunged.splice(0) };
    await client.messageDelete("4", { uid: true });
    const advanced = opened.highestModseq > known.highestModseq;
    return { enabled: [...client.enabled], qresync: opened.qresync, advanced, selected, fetched, own: told.expunged };
});
process.stdout.write(JSON.stringify({ others, ...result }));
