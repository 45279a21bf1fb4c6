// Reads all mail of an account with imapflow, and prints what it has read as JSON.
// The environment says where: IMAP_PORT, IMAP_USER, IMAP_TOKEN.

import { ImapFlow } from "imapflow";

const client = new ImapFlow({
    host: "127.0.0.1",
    port: Number(process.env.IMAP_PORT),
    secure: false,
    doSTARTTLS: false,
    auth: { user: process.env.IMAP_USER, pass: process.env.IMAP_TOKEN },
    clientInfo: { name: "imapflow" },
    logger: false,
    disableAutoIdle: true,
    socketTimeout: 20_000,
    greetingTimeout: 20_000,
});

const items = {
    uid: true,
    flags: true,
    envelope: true,
    bodyStructure: true,
    internalDate: true,
    size: true,
    source: true,
    headers: ["subject", "message-id"],
};

function plain(message) {
    return {
        seq: message.seq,
        uid: message.uid,
        flags: [...message.flags],
        envelope: message.envelope,
        bodyStructure: message.bodyStructure,
        internalDate: message.internalDate,
        size: message.size,
        source: message.source.toString("base64"),
        headers: message.headers.toString("base64"),
    };
}

async function readMailbox(path) {
    const opened = await client.mailboxOpen(path, { readOnly: true });
    const messages = [];
    if (opened.exists) {
        for await (const message of client.fetch("1:*", items)) {
            messages.push(plain(message));
        }
    }
    return { path, exists: opened.exists, uidNext: opened.uidNext, messages };
}

async function change() {
    await client.mailboxOpen("INBOX");
    const changed = await client.messageFlagsAdd("1", ["\\Flagged", "$Forwarded"], { uid: true });
    const { flags } = await client.fetchOne("1", { flags: true }, { uid: true });
    const { content } = await client.download("1", undefined, { uid: true });
    const chunks = [];
    for await (const chunk of content) {
        chunks.push(chunk);
    }
    return { changed, flags: [...flags], downloaded: Buffer.concat(chunks).toString("base64") };
}

const result = {};
await client.connect();
try {
    const listed = await client.list({ statusQuery: { messages: true, unseen: true } });
    result.list = listed.map(({ path, delimiter, specialUse, status, flags }) => ({
        path,
        delimiter,
        specialUse,
        status,
        flags: [...flags],
    }));
    result.server = client.serverInfo;
    result.mailboxes = [];
    for (const { path, flags } of listed) {
        if (!flags.has("\\Noselect")) {
            result.mailboxes.push(await readMailbox(path));
        }
    }
    await client.mailboxOpen("INBOX", { readOnly: true });
    result.search = {
        unseen: await client.search({ seen: false }, { uid: true }),
        subject: await client.search({ subject: "Grüße" }, { uid: true }),
        either: await client.search({ or: [{ from: "ada@work.example" }, { flagged: true }] }, { uid: true }),
        header: await client.search({ header: { "MIME-Version": "1.0" } }, { uid: true }),
    };
    result.change = await change();
} finally {
    await client.logout().catch(() => client.close());
}
process.stdout.write(JSON.stringify(result));
