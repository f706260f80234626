"""The calls: create an event, list the open ones, register for one."""

import secrets

from django.db import IntegrityError, transaction
from django.urls import path
from django.utils import timezone
from django_drf.models import Event, Outbox, Visitor
from rest_framework import generics, serializers, status
from rest_framework.exceptions import APIException
from rest_framework.generics import get_object_or_404
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.response import Response
from rest_framework.views import APIView


class Conflict(APIException):
    status_code = status.HTTP_409_CONFLICT


class EventSerializer(serializers.ModelSerializer):
    area = serializers.CharField(source="area.name", default=None, read_only=True)

    class Meta:
        model = Event
        fields = (
            *("id", "name", "area", "area_id", "status"),
            *("event_datetime", "registration_deadline", "capacity"),
        )
        read_only_fields = ("id",)


class RegistrationSerializer(serializers.Serializer):
    full_name = serializers.CharField(max_length=128)
    email = serializers.EmailField()

    def validate_email(self, email):
        return email.lower()


class Pages(LimitOffsetPagination):
    default_limit = 10
    max_limit = 100


class CreateEvent(APIView):
    def post(self, request):
        serializer = EventSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response({"data": serializer.data}, status=status.HTTP_201_CREATED)


class ListEvents(generics.ListAPIView):
    serializer_class = EventSerializer
    pagination_class = Pages

    def get_queryset(self):
        events = Event.objects.filter(status="open").select_related("area")
        if name := self.request.query_params.get("name"):
            events = events.filter(name__icontains=name)
        ascending = self.request.query_params.get("order_by") == "asc"
        return events.order_by("event_datetime" if ascending else "-event_datetime")


class Register(APIView):
    def post(self, request, event_id):
        serializer = RegistrationSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        event = get_object_or_404(Event, pk=event_id)
        if event.status != "open":
            raise Conflict("The event is closed for registration")
        if event.registration_deadline < timezone.now():
            raise Conflict("The registration deadline has passed")
        try:
            with transaction.atomic():
                if event.capacity is not None:
                    locked = Event.objects.select_for_update().get(pk=event_id)
                    if locked.taken >= locked.capacity:
                        raise Conflict("No seat of the event is free")
                    locked.taken += 1
                    locked.save(update_fields=["taken"])
                visitor = Visitor.objects.create(event=event, **serializer.validated_data)
                Outbox.objects.create(
                    visitor=visitor,
                    email=visitor.email,
                    message=f"Your confirmation code is {secrets.randbelow(10_000):04}",
                )
        except IntegrityError:
            raise Conflict("This email is registered for the event already") from None
        return Response(
            {"data": {"id": visitor.id}, "meta": {"message": "Successful registration"}},
            status=status.HTTP_201_CREATED,
        )


urlpatterns = [
    path("api/events/", CreateEvent.as_view()),
    path("api/events/list", ListEvents.as_view()),
    path("api/events/<uuid:event_id>/register", Register.as_view()),
]
