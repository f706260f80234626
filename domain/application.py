"""The table of all commands, one row each (`CommandType`). A handler is at the foot of its
aggregate's file."""

from __future__ import annotations

from domain import (
    accounts,
    announcements,
    api_keys,
    areas,
    check_ins,
    credentials,
    departures,
    endpoints,
    event_cancellation,
    event_editing,
    event_restoration,
    key_rows,
    notifications,
    provider_items,
    question_editing,
    registrations,
    retention,
    syncs,
    tickets,
    waiting_list,
    webhooks,
)
from domain.audit import disclosures
from domain.core.commands import Application, CommandType, Touches
from domain.people import KnownPeople

# Without an annotation, so that mypy checks each row's functions against its command.
COMMANDS = (
    # areas
    CommandType(
        areas.CreateArea,
        areas.create_area,
        touches=lambda c, ids: Touches(begun=[ids.area_name(c.name)]),
    ),
    CommandType(
        areas.RenameArea,
        areas.rename_area,
        touches=lambda c, ids: Touches([c.area_id], [ids.area_name(c.name)] if c.name else []),
    ),
    CommandType(areas.DeleteArea, areas.delete_area, touches=lambda c, _: Touches([c.area_id])),
    # events
    CommandType(
        event_editing.CreateEvent,
        event_editing.create_event,
        touches=lambda c, _: Touches([c.area_id] if c.area_id else []),
        answer=event_editing.view_of,
    ),
    CommandType(
        event_editing.ChangeEvent,
        event_editing.change_event,
        touches=lambda c, _: Touches([c.event_id]),
        answer=event_editing.view_of,
    ),
    CommandType(
        event_editing.DeleteEvent,
        event_editing.delete_event,
        touches=lambda c, _: Touches([c.event_id]),
    ),
    CommandType(
        event_restoration.RestoreEvent,
        event_restoration.restore_event,
        touches=lambda c, _: Touches([c.event_id]),
        answer=event_editing.view_of,
    ),
    CommandType(
        event_cancellation.CancelEvent,
        event_cancellation.cancel_event,
        touches=lambda c, _: Touches([c.event_id]),
        answer=event_editing.view_of,
    ),
    CommandType(
        event_cancellation.ReinstateEvent,
        event_cancellation.reinstate_event,
        touches=lambda c, _: Touches([c.event_id]),
        answer=event_editing.view_of,
    ),
    CommandType(
        announcements.AnnounceChange,
        announcements.announce_change,
        touches=lambda c, _: Touches([c.event_id, *filter(None, [c.now.area_id])]),
    ),
    CommandType(
        announcements.RemindOf, announcements.remind_of, touches=lambda c, _: Touches([c.event_id])
    ),
    CommandType(
        event_editing.CleanUpEvent,
        event_editing.clean_up_event,
        touches=lambda c, _: Touches([c.event_id]),
    ),
    CommandType(
        question_editing.ChangeQuestions,
        question_editing.change_questions,
        touches=lambda c, _: Touches([c.event_id]),
    ),
    # items of the provider
    CommandType(
        provider_items.SyncEvent,
        provider_items.sync_event,
        touches=lambda c, ids: Touches(
            [c.event_id, ids.area_name(c.area_name)] if c.area_name else [c.event_id]
        ),
    ),
    CommandType(
        provider_items.FollowProvider,
        provider_items.follow_provider,
        touches=lambda c, _: Touches([c.event_id]),
        answer=event_editing.view_of,
    ),
    CommandType(syncs.RecordSync, syncs.record_sync),
    CommandType(syncs.RecordFailedSync, syncs.record_failed_sync),
    # visitors
    CommandType(
        registrations.RegisterVisitor,
        registrations.register_visitor,
        touches=lambda c, ids: Touches([c.event_id], [ids.visitor(c.event_id, c.email)]),
    ),
    CommandType(
        registrations.AddVisitor,
        registrations.add_visitor,
        touches=lambda c, ids: Touches([c.event_id], [ids.visitor(c.event_id, c.email)]),
    ),
    CommandType(
        registrations.AddVisitors,
        registrations.add_visitors,
        touches=lambda c, ids: Touches(
            [c.event_id, *(ids.visitor(c.event_id, person.email) for person in c.people)]
        ),
    ),
    CommandType(
        departures.CancelVisitor,
        departures.cancel_visitor,
        touches=lambda c, _: Touches([c.visitor_id]),
    ),
    CommandType(
        departures.LeaveEvent, departures.leave_event, touches=lambda c, _: Touches([c.visitor_id])
    ),
    CommandType(
        departures.ConfirmVisitor,
        departures.confirm_visitor,
        touches=lambda c, _: Touches([c.visitor_id]),
    ),
    CommandType(
        departures.LapseVisitor,
        departures.lapse_visitor,
        touches=lambda c, _: Touches([c.visitor_id]),
    ),
    CommandType(
        registrations.CorrectVisitor,
        registrations.correct_visitor,
        touches=lambda c, _: Touches([c.visitor_id]),
    ),
    CommandType(
        departures.ResendMessage,
        departures.resend_message,
        touches=lambda c, _: Touches([c.visitor_id]),
    ),
    CommandType(
        tickets.ReissueTicket,
        tickets.reissue_ticket,
        touches=lambda c, _: Touches([c.visitor_id]),
    ),
    CommandType(
        waiting_list.PromoteVisitor,
        waiting_list.promote_visitor,
        touches=lambda c, _: Touches([c.visitor_id]),
    ),
    CommandType(
        waiting_list.PromoteWaiting,
        waiting_list.promote_waiting,
        touches=lambda c, _: Touches([c.event_id]),
    ),
    CommandType(
        departures.EraseVisitor,
        departures.erase_visitor,
        touches=lambda c, _: Touches([c.visitor_id]),
        inline=departures.forget_people,
    ),
    CommandType(
        retention.ForgetVisitors,
        retention.forget_visitors,
        touches=lambda c, _: Touches([c.event_id, *c.visitor_ids]),
        inline=departures.forget_people,
    ),
    CommandType(
        retention.RecordRetention,
        retention.record_retention,
        touches=lambda *_: Touches([retention.POLICY_ID]),
    ),
    # the door
    CommandType(
        check_ins.CheckIn,
        check_ins.check_in,
        touches=lambda c, ids: check_ins.touches_of(c.event_id, [c.scanned], ids),
    ),
    CommandType(
        check_ins.RecordScans,
        check_ins.record_scans,
        touches=lambda c, ids: check_ins.touches_of(c.event_id, c.scanned, ids),
    ),
    CommandType(
        check_ins.UndoCheckIn,
        check_ins.undo_check_in,
        touches=lambda c, ids: Touches([ids.scan(c.event_id, c.nonce)]),
    ),
    # notifications
    CommandType(
        notifications.RecordDelivery,
        notifications.record_delivery,
        touches=lambda c, _: Touches(begun=[c.notification_id]),
    ),
    CommandType(
        notifications.QueueAgain,
        notifications.queue_again,
        touches=lambda c, _: Touches([c.notification_id]),
    ),
    # accounts
    CommandType(
        accounts.RegisterAccount,
        accounts.register_account,
        touches=lambda c, ids: Touches(begun=[ids.account(c.username)]),
        inline=credentials.insert_credentials,
    ),
    CommandType(
        accounts.InviteAccount,
        accounts.invite_account,
        touches=lambda c, ids: Touches(begun=[ids.account(c.username)]),
        inline=credentials.insert_credentials,
    ),
    CommandType(
        accounts.MakePasswordLink,
        accounts.make_password_link,
        touches=lambda c, _: Touches([c.account_id]),
    ),
    CommandType(
        accounts.GrantRole,
        accounts.grant_role,
        touches=lambda c, _: Touches([c.account_id]),
        inline=credentials.update_roles,
    ),
    CommandType(
        accounts.RevokeRole,
        accounts.revoke_role,
        touches=lambda c, _: Touches([c.account_id, *c.other_admins]),
        completed_by=credentials.with_other_admins,
        inline=credentials.update_roles,
    ),
    CommandType(
        accounts.ChangePassword,
        accounts.change_password,
        touches=lambda c, _: Touches([c.account_id]),
        inline=credentials.update_password,
    ),
    CommandType(
        accounts.DisableAccount,
        accounts.disable_account,
        touches=lambda c, _: Touches([c.account_id, *c.other_admins]),
        completed_by=credentials.with_other_admins,
        inline=credentials.disable_credentials,
    ),
    CommandType(
        accounts.EnableAccount,
        accounts.enable_account,
        touches=lambda c, _: Touches([c.account_id]),
        inline=credentials.enable_credentials,
    ),
    # API keys
    CommandType(
        api_keys.CreateKey,
        api_keys.create_key,
        touches=lambda c, _: Touches(c.event_ids or ()),
        inline=key_rows.insert_key,
    ),
    CommandType(
        api_keys.RollKey,
        api_keys.roll_key,
        touches=lambda c, _: Touches([c.key_id]),
        inline=key_rows.replace_secret,
    ),
    CommandType(
        api_keys.RevokeKey,
        api_keys.revoke_key,
        touches=lambda c, _: Touches([c.key_id]),
        inline=key_rows.delete_secrets,
    ),
    # webhooks
    CommandType(
        webhooks.CreateWebhook,
        webhooks.create_webhook,
        touches=lambda c, _: Touches([c.event_id] if c.event_id else []),
        completed_by=endpoints.with_number_of_webhooks,
        inline=endpoints.insert_endpoint,
    ),
    CommandType(
        webhooks.ChangeWebhook,
        webhooks.change_webhook,
        touches=lambda c, _: Touches([c.webhook_id]),
        inline=endpoints.update_endpoint,
    ),
    CommandType(
        webhooks.DisableWebhook,
        webhooks.disable_webhook,
        touches=lambda c, _: Touches([c.webhook_id]),
        inline=endpoints.update_endpoint,
    ),
    CommandType(
        webhooks.RollWebhookSecret,
        webhooks.roll_secret,
        touches=lambda c, _: Touches([c.webhook_id]),
        inline=endpoints.update_secret,
    ),
    CommandType(
        webhooks.DeleteWebhook,
        webhooks.delete_webhook,
        touches=lambda c, _: Touches([c.webhook_id]),
        inline=endpoints.delete_endpoint,
    ),
    # audit
    CommandType(disclosures.RecordDisclosure, disclosures.record_disclosure),
    CommandType(disclosures.RecordPersonExport, disclosures.record_person_export),
)

APPLICATION = Application(
    commands={row.command: row for row in COMMANDS},
    people=KnownPeople,
    policies=[waiting_list.pass_on_free_seats],
)
