"""Changes listeners while clients are connected; what cannot be is refused, and then nothing has changed."""

import asyncio

import gatepost
from gatepost import Listener, Refused


async def on_message(message: gatepost.SmtpMessage) -> None:
    pass


async def greeting(address: gatepost.Address) -> str:
    reader, writer = await asyncio.open_connection(*address)
    line = (await reader.readline()).decode().strip()
    writer.close()
    return line


async def main() -> None:
    async with gatepost.listen([Listener(name="in", bind=["127.0.0.1:0"])], smtp=on_message) as server:
        reader, writer = await asyncio.open_connection(*server.address("in"))
        await reader.readline()

        await server.update("in", max_connections=1)
        print(await greeting(server.address("in")))

        await server.add(Listener(name="more", bind=["127.0.0.1:0"]))
        print(await greeting(server.address("more")))
        await server.remove("more")

        try:
            await server.update("in", bind=[str(server.address("in")), "192.0.2.1:2525"])
        except Refused as refused:
            print(refused.objections[0].errno_name)

        writer.write(b"QUIT\r\n")  # the first client has been there all the time
        print((await reader.readline()).decode().strip())
        writer.close()


asyncio.run(main())
