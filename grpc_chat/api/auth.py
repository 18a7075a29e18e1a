"""AuthService."""

from __future__ import annotations

from collections.abc import Callable

from grpc_chat._version import __version__
from grpc_chat.api.stated_limits import stated
from grpc_chat.core.caller import Caller, Guest
from grpc_chat.core.logins import REGISTRATIONS
from grpc_chat.core.system import ChatSystem
from grpc_chat.wire import chat_pb2 as pb


class AuthService:
    """See ``AuthService`` in chat.proto."""

    def __init__(
        self,
        system: ChatSystem,
        *,
        public_address: Callable[[], str] = str,
        limits: pb.RequestLimits | None = None,
    ) -> None:
        self._public_address = public_address
        self._limits = limits or stated()
        self._logins = system.logins
        self._accounts = system.accounts
        self._tokens = system.access_tokens
        self._bots = system.bots
        self._blocks = system.blocks
        self._members = system.members
        self._ownership = system.ownership
        self._issuers = system.issuer_logins
        self._users = system.users
        self._people = system.people

    async def get_server_info(
        self, _guest: Guest, _request: pb.GetServerInfoRequest
    ) -> pb.GetServerInfoResponse:
        registration = REGISTRATIONS[self._logins.registration]
        return pb.GetServerInfoResponse(
            version=__version__,
            registration=registration,
            password_login=self._logins.password_login,
            providers=self._issuers.providers,
            public_address=self._public_address(),
            limits=self._limits,
        )

    async def register(self, guest: Guest, request: pb.RegisterRequest) -> pb.RegisterResponse:
        login = await self._logins.register(guest, request)
        return pb.RegisterResponse(
            user=login.user, session=login.session, token=login.token, room_id=login.room_id
        )

    async def log_in(self, guest: Guest, request: pb.LogInRequest) -> pb.LogInResponse:
        login = await self._logins.log_in(guest, request)
        return pb.LogInResponse(
            user=login.user, session=login.session, token=login.token, ended_session=login.ended_session
        )

    async def begin_log_in(self, guest: Guest, request: pb.BeginLogInRequest) -> pb.BeginLogInResponse:
        return await self._issuers.begin(guest, request)

    async def finish_log_in(self, guest: Guest, request: pb.FinishLogInRequest) -> pb.FinishLogInResponse:
        login = await self._issuers.finish(guest, request)
        return pb.FinishLogInResponse(
            user=login.user,
            session=login.session,
            token=login.token,
            registered=login.registered,
            room_id=login.room_id,
            ended_session=login.ended_session,
        )

    async def link_identity(self, caller: Caller, request: pb.LinkIdentityRequest) -> pb.LinkIdentityResponse:
        await self._issuers.link(caller, request)
        return pb.LinkIdentityResponse()

    async def list_identities(
        self, caller: Caller, _request: pb.ListIdentitiesRequest
    ) -> pb.ListIdentitiesResponse:
        return pb.ListIdentitiesResponse(identities=await self._issuers.identities.list(caller.user_id))

    async def unlink_identity(
        self, caller: Caller, request: pb.UnlinkIdentityRequest
    ) -> pb.UnlinkIdentityResponse:
        revoked = await self._issuers.identities.unlink(
            caller, caller.user_id, request.identity_id, even_last=request.even_last
        )
        return pb.UnlinkIdentityResponse(revoked_sessions=revoked)

    async def log_out(self, caller: Caller, _request: pb.LogOutRequest) -> pb.LogOutResponse:
        await self._logins.log_out(caller)
        return pb.LogOutResponse()

    async def get_me(self, caller: Caller, _request: pb.GetMeRequest) -> pb.GetMeResponse:
        user, session = await self._accounts.me(caller)
        return pb.GetMeResponse(user=user, session=session)

    async def list_people(self, caller: Caller, request: pb.ListPeopleRequest) -> pb.ListPeopleResponse:
        page = await self._people.list_(caller, request)
        return pb.ListPeopleResponse(users=page.entries, next_page_token=page.next_page_token)

    async def get_user(self, caller: Caller, request: pb.GetUserRequest) -> pb.GetUserResponse:
        return pb.GetUserResponse(user=await self._users.get(caller, request.user_id))

    async def update_profile(
        self, caller: Caller, request: pb.UpdateProfileRequest
    ) -> pb.UpdateProfileResponse:
        return pb.UpdateProfileResponse(user=await self._accounts.update_profile(caller, request))

    async def change_password(
        self, caller: Caller, request: pb.ChangePasswordRequest
    ) -> pb.ChangePasswordResponse:
        changed = await self._accounts.change_password(caller, request)
        return pb.ChangePasswordResponse(
            revoked_sessions=changed.revoked_sessions,
            revoked_bot_tokens=changed.revoked_bot_tokens,
            live_bot_tokens=changed.live_bot_tokens,
        )

    async def list_sessions(self, caller: Caller, request: pb.ListSessionsRequest) -> pb.ListSessionsResponse:
        page = await self._accounts.list_sessions(caller, request)
        return pb.ListSessionsResponse(sessions=page.entries, next_page_token=page.next_page_token)

    async def revoke_sessions(
        self, caller: Caller, request: pb.RevokeSessionsRequest
    ) -> pb.RevokeSessionsResponse:
        revoked = await self._accounts.revoke_sessions(caller, request)
        return pb.RevokeSessionsResponse(revoked_sessions=revoked)

    async def create_access_token(
        self, caller: Caller, request: pb.CreateAccessTokenRequest
    ) -> pb.CreateAccessTokenResponse:
        session, token = await self._tokens.create(caller, request)
        return pb.CreateAccessTokenResponse(session=session, token=token)

    async def create_bot(self, caller: Caller, request: pb.CreateBotRequest) -> pb.CreateBotResponse:
        return pb.CreateBotResponse(user=await self._bots.create(caller, request))

    async def list_bots(self, caller: Caller, request: pb.ListBotsRequest) -> pb.ListBotsResponse:
        page = await self._bots.list(caller, request)
        return pb.ListBotsResponse(bots=page.entries, next_page_token=page.next_page_token)

    async def offer_bot(self, caller: Caller, request: pb.OfferBotRequest) -> pb.OfferBotResponse:
        return pb.OfferBotResponse(bot=await self._ownership.offer_bot(caller, request))

    async def accept_bot(self, caller: Caller, request: pb.AcceptBotRequest) -> pb.AcceptBotResponse:
        bot, revoked = await self._ownership.accept_bot(caller, request)
        return pb.AcceptBotResponse(bot=bot, revoked_sessions=revoked)

    async def create_block(self, caller: Caller, request: pb.CreateBlockRequest) -> pb.CreateBlockResponse:
        response = pb.CreateBlockResponse(block=await self._blocks.create(caller, request))
        if request.leave_rooms:
            left, kept = await self._members.leave_what_one_was_added_to(caller, request.user_id)
            response.left_rooms = left
            response.kept_room_ids.extend(kept)
        return response

    async def delete_block(self, caller: Caller, request: pb.DeleteBlockRequest) -> pb.DeleteBlockResponse:
        await self._blocks.delete(caller, request)
        return pb.DeleteBlockResponse()

    async def list_blocks(self, caller: Caller, request: pb.ListBlocksRequest) -> pb.ListBlocksResponse:
        page = await self._blocks.list_(caller, request)
        return pb.ListBlocksResponse(blocks=page.entries, next_page_token=page.next_page_token)
