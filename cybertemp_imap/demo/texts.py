"""What the demonstration's mail says, in the scripts that mail is written in."""

from __future__ import annotations

from random import Random

SENTENCES = (
    "The meeting has moved to Thursday, same room, same time.",
    "Please find the figures for last quarter below.",
    "Your parcel left our warehouse this morning and should reach you within three working days.",
    "We have changed our terms of service; nothing changes for you before the first of next month.",
    "Could you have a look at the second paragraph before we send it out?",
    "The build is green again, thanks to everybody who helped.",
    "I have attached nothing this time, I promise.",
    "Train tickets are booked; the seats are in the quiet carriage.",
    "If you did not ask for this, you can ignore this message.",
    "The garden is doing well, apart from the tomatoes, which the snails have found.",
    "Reply to this message with a day that suits you.",
    "From here on it only gets easier, or so they say.",
)

SUBJECTS = (
    "Meeting on Thursday",
    "Your order has been sent",
    "Re: draft of the report",
    "Fwd: travel plans",
    "Invoice 2025-0417",
    "Minutes of the last call",
    "Changes to our terms",
    "Build fixed",
    "Lunch?",
    "A question about your subscription",
)

SENDERS = (
    "Ada Byron <ada@work.example>",
    "grace@work.example",
    '"Post Office" <parcels@post.example>',
    "Billing <billing@shop.example>",
    "no-reply@service.example",
    "Linus <linus@kernel.example>",
    '"Doe, Jane" <jane.doe@work.example>',
)

#: Subject, sender and text in one script each.
FOREIGN = (
    ("会議の議事録", "田中太郎 <tanaka@work.example>", "先週の会議の議事録をお送りします。ご確認ください。"),
    ("发票已开具", "财务部 <finance@shop.example>", "您的发票已开具,请在三十天内付款。谢谢!"),
    ("회의 일정 변경", "김민준 <kim@work.example>", "회의가 목요일 오후 세 시로 변경되었습니다."),
    ("Отчёт за квартал", "Иван Петров <ivan@work.example>", "Добрый день! Отчёт готов, замечания — до пятницы."),
    ("Τιμολόγιο Μαΐου", "Ελένη <eleni@shop.example>", "Σας αποστέλλουμε το τιμολόγιο του Μαΐου."),
    ("دعوة إلى الاجتماع", "ليلى <layla@work.example>", "ندعوكم إلى حضور الاجتماع يوم الخميس في تمام الساعة 10:00."),
    ("הזמנה לפגישה", "נועה <noa@work.example>", "הפגישה תתקיים ביום חמישי בשעה 10:00, בחדר הישיבות."),
    (
        "🎉 You did it! 🚀",
        "Party 🎈 <party@service.example>",
        "Congratulations 🥳🎊 — 100 days in a row! 👩‍👩‍👧‍👦 🏳️‍🌈 🇪🇺",
    ),
    (
        "Grüße aus Köln",
        "Jürgen Groß <juergen@work.example>",
        "Schöne Grüße! Die Straße ist wieder frei, der Käse ist gut.",
    ),
    ("Été à Besançon", "Zoé Lefèvre <zoe@work.example>", "Ça va ? L'été arrive, le cœur léger, à bientôt !"),
    ("Hóa đơn tháng năm", "Nguyễn Văn An <an@shop.example>", "Hóa đơn của bạn đã sẵn sàng. Cảm ơn bạn rất nhiều."),
    ("नमस्ते", "अनिता <anita@work.example>", "नमस्ते, कृपया संलग्न विवरण देखें। धन्यवाद।"),
)


def paragraphs(random: Random, count: int) -> str:
    """Return ``count`` paragraphs of plain text, with lines as people type them."""
    return "\n\n".join(" ".join(random.sample(SENTENCES, random.randint(2, 5))) for _ in range(count)) + "\n"


def html_page(title: str, text: str) -> str:
    """Return an HTML page that says ``text``."""
    body = "".join(f"<p>{paragraph}</p>\n" for paragraph in text.strip().split("\n\n"))
    style = "<style>body{font-family:sans-serif} .b{color:#06c}</style>"
    return (
        f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>{title}</title>{style}</head>\n'
        f'<body><h1 class="b">{title}</h1>\n{body}<p><a href="https://service.example/a?b=1&amp;c=2">More</a></p>'
        "</body></html>\n"
    )
