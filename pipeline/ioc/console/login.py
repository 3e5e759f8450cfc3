"""Logging in: a plain form, no script, before anything of the console is sent."""

from __future__ import annotations

from html import escape
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from pipeline.ioc.api.accounts import address_of, set_cookie
from pipeline.ioc.api.security import COOKIE
from pipeline.ioc.console.texts import Texts
from pipeline.ioc.people import AccountError, LoginFailedError, TooManyLoginsError
from pipeline.ioc.services import Services

Text = Annotated[str, Form(max_length=200)]

PAGE = """<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{app}</title>
<meta name="viewport" content="width=device-width"><style>
:root{{color-scheme:light dark;--card:#fff;--ink:#1b2733;--dim:#5a6b7b;--line:#cfd8e0;--back:#eef2f5;
--do:#0b5cad}}
@media(prefers-color-scheme:dark){{:root{{--card:#1a222b;--ink:#e4eaf0;--dim:#9fb0c0;--line:#33414e;--back:#10161c;
--do:#3d8fe0}}}}
body{{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--back);color:var(--ink);
font:16px/1.45 system-ui,"DejaVu Sans",sans-serif}}
form{{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:36px 40px;width:320px}}
h1{{font-size:22px;margin:0 0 4px}}p{{margin:0 0 22px;color:var(--dim)}}
label{{display:block;margin:14px 0 4px;font-size:14px;color:var(--dim)}}
input{{box-sizing:border-box;width:100%;font:inherit;padding:10px 12px;border:1px solid var(--line);
border-radius:6px;background:transparent;color:inherit}}
input:focus,button:focus{{outline:2px solid var(--do);outline-offset:1px}}
button{{margin-top:24px;width:100%;padding:11px;font:inherit;font-weight:600;border:0;border-radius:6px;
background:var(--do);color:#fff;cursor:pointer}}.sso{{display:block;margin-top:12px;padding:10px;text-align:center;border-radius:6px;
border:1px solid var(--do);color:var(--do);font-weight:600;text-decoration:none}}.sso:focus{{outline:2px solid
var(--do);outline-offset:1px}}.bad{{color:#c62828;margin:14px 0 0}}
@media(prefers-color-scheme:dark){{.bad{{color:#ff8a80}}}}
</style></head><body><main><form method="post" action="{action}">
<h1>{app}</h1><p>{title}</p>{fields}{problem}<button type="submit">{button}</button>{sso}</form></main>
</body></html>"""
FIELD = (
    '<label for="{name}">{label}</label>'
    '<input id="{name}" name="{name}" type="{kind}" autocomplete="{hint}" required maxlength="200"{focus}>'
)


def login_router(services: Services) -> APIRouter:
    """/login, /logout and /password."""
    router = APIRouter(include_in_schema=False)
    secure = services.config.server.secure_cookies
    sso = services.config.oidc.label if services.config.oidc is not None else ""

    @router.get("/login")
    def ask(request: Request) -> Response:
        return login_page("", sso=sso)

    @router.post("/login")
    async def log_in(request: Request, name: Text, password: Text) -> Response:
        if old := request.cookies.get(COOKIE):
            await run_in_threadpool(services.accounts.log_out, old)
        try:
            address = address_of(request)
            token = await run_in_threadpool(services.accounts.log_in, name, password, address)
        except TooManyLoginsError:
            return login_page("login_too_often", 429, sso)
        except LoginFailedError:
            return login_page("login_failed", 401, sso)
        answer = RedirectResponse("/", 303)
        set_cookie(answer, token, secure=secure)
        return answer

    @router.post("/logout")
    def log_out(request: Request) -> Response:
        services.accounts.log_out(request.cookies.get(COOKIE, ""))
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE)
        return answer

    @router.get("/password")
    def ask_password(request: Request) -> Response:
        person = services.accounts.person(request.cookies.get(COOKIE))
        if person is None:
            return RedirectResponse("/login", 303)
        return _password_page(person.language, "")

    @router.post("/password")
    def change_password(request: Request, old: Text, new: Text) -> Response:
        person = services.accounts.person(request.cookies.get(COOKIE))
        if person is None:
            return RedirectResponse("/login", 303)
        try:
            services.accounts.change_password(person, old, new)
        except AccountError as error:
            return _password_page(person.language, error.code, 422)
        return RedirectResponse("/login", 303)

    return router


def login_page(problem: str, status: int = 200, sso: str = "") -> Response:
    """Name and password; `sso`: what the OIDC provider is called, where there is one."""
    texts, english = Texts("vi"), Texts("en")
    fields = FIELD.format(
        name="name", label=texts("name"), kind="text", hint="username", focus=" autofocus"
    ) + FIELD.format(
        name="password", label=texts("password"), kind="password", hint="current-password", focus=""
    )
    told = f"{texts(problem)} {english(problem)}" if problem else ""
    title = f"{texts('log_in')} · {english('log_in')}"
    return _page(texts, "/login", title, fields, told, texts("log_in"), status, sso)


def _password_page(language: str, problem: str, status: int = 200) -> Response:
    texts = Texts(language)
    fields = FIELD.format(
        name="old", label=texts("old_password"), kind="password", hint="current-password", focus=" autofocus"
    ) + FIELD.format(name="new", label=texts("new_password"), kind="password", hint="new-password", focus="")
    told = texts(f"account_error.{problem}") if problem else ""
    return _page(texts, "/password", texts("choose_password"), fields, told, texts("save"), status)


def _page(
    texts: Texts,
    action: str,
    title: str,
    fields: str,
    problem: str,
    button: str,
    status: int,
    sso: str = "",
) -> Response:
    told = escape(texts("log_in_with").format(sso))
    return HTMLResponse(
        PAGE.format(
            language=texts.language,
            app=escape(texts("app")),
            action=action,
            title=escape(title),
            fields=fields,
            problem=f'<p class="bad" role="alert">{escape(problem)}</p>' if problem else "",
            button=escape(button),
            sso=f'<a class="sso" href="/login/oidc">{told}</a>' if sso else "",
        ),
        status,
    )
