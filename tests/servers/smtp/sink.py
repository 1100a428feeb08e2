#!/usr/bin/python3
"""A mail server for tests: takes mails and does what it is told with them. Needs Debian's python3-aiosmtpd.

It listens at 127.0.0.1 and prints `port: N`; it ends when its standard input does. In its folder it keeps

    *.eml   the mails that it took
    wire    every byte that clients said, decrypted

and reads the file `mode` anew for each connection and each mail:

    ok            takes mails
    refuse CODE   answers RCPT with this code, such as 450 or 550
    hang          answers RCPT never
    silent        takes connections and says nothing at all
"""

import argparse
import asyncio
import os
import ssl
import sys
import uuid

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

arguments = argparse.ArgumentParser()
arguments.add_argument("folder")
arguments.add_argument("--port", type=int, default=0)
arguments.add_argument("--tls", choices=["none", "starttls", "implicit"], default="none")
arguments.add_argument("--certificate")
arguments.add_argument("--key")
arguments.add_argument("--login", help="NAME:PASSWORD that clients must sign in with")
options = arguments.parse_args()


def mode():
    try:
        with open(os.path.join(options.folder, "mode"), encoding="ascii") as file:
            return file.read().split()
    except FileNotFoundError:
        return ["ok"]


class Wire(SMTP):
    def data_received(self, data):
        with open(os.path.join(options.folder, "wire"), "ab") as file:
            file.write(data)
        super().data_received(data)


class Silence(asyncio.Protocol):
    pass


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if mode()[0] == "refuse":
            return f"{mode()[1]} not this one\x1b[31m"
        if mode()[0] == "hang":
            await asyncio.Event().wait()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        name = os.path.join(options.folder, uuid.uuid4().hex)
        with open(name, "wb") as file:
            file.write(envelope.original_content)
        os.rename(name, name + ".eml")
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    name, _, password = options.login.partition(":")
    given = isinstance(data, LoginPassword) and (data.login, data.password) == (name.encode(), password.encode())
    return AuthResult(success=given, handled=False)


def protocol(context):
    if mode()[0] == "silent":
        return Silence()
    return Wire(
        Handler(),
        hostname="sink.test",
        enable_SMTPUTF8=True,
        tls_context=context if options.tls == "starttls" else None,
        auth_required=options.login is not None,
        auth_require_tls=False,
        authenticator=authenticate if options.login else None,
    )


async def main():
    context = None
    if options.tls != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate, options.key)
    loop = asyncio.get_running_loop()
    implicit = context if options.tls == "implicit" else None
    server = await loop.create_server(lambda: protocol(context), "127.0.0.1", options.port, ssl=implicit)
    print(f"port: {server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    os._exit(0)


asyncio.run(main())
