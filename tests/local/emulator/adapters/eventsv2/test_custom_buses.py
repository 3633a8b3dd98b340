"""Custom event buses: who gets what in which shape, and where the rest ends."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from local.support import Client, DeployStack, bodies, seen, wait_until

from sls_patterns_cli.errors import UserError

ROLE = """
  DeliveryRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {Service: events.amazonaws.com}
            Action: sts:AssumeRole
            Condition:
              StringEquals: {"aws:SourceAccount": !Ref "AWS::AccountId"}
              ArnLike: {"aws:SourceArn": !Sub "arn:aws:events:*:${AWS::AccountId}:subscriber/*"}
      Policies:
        - PolicyName: deliver
          PolicyDocument:
            Statement:
              - {Effect: Allow, Action: "lambda:InvokeFunction", Resource: "*"}
              - Effect: Allow
                Action: sqs:SendMessage
                Resource:
                  [!GetAtt Received.Arn, !GetAtt Ordered.Arn, !GetAtt Undelivered.Arn]
"""

STACK = (
    """
Resources:
  Shop:
    Type: AWS::EventsV2::EventBus
    Properties: {Name: shop, StorageConfiguration: {RetentionPeriodInDays: 7}}
  Received: {Type: AWS::SQS::Queue}
  Closed: {Type: AWS::SQS::Queue}
  Undelivered: {Type: AWS::SQS::Queue}
  Ordered: {Type: AWS::SQS::Queue, Properties: {FifoQueue: true}}
  Large:
    Type: AWS::EventsV2::Subscriber
    Properties:
      Name: large
      EventBusArn: !Ref Shop
      FilterConfiguration:
        Filters:
          - {Scope: DATA, Pattern: '{"detail": {"total": [{"numeric": [">", 500]}]}}'}
          - {Scope: SYSTEM_METADATA, Pattern: '{"aws:Source": ["orders"]}'}
      InvokeConfiguration: {TargetArn: !GetAtt Received.Arn, RoleArn: !GetAtt DeliveryRole.Arn}
  Forbidden:
    Type: AWS::EventsV2::Subscriber
    Properties:
      Name: forbidden
      EventBusArn: !Ref Shop
      FilterConfiguration:
        Filters: [{Scope: SYSTEM_METADATA, Pattern: '{"aws:Source": ["forbidden"]}'}]
      InvokeConfiguration: {TargetArn: !GetAtt Closed.Arn, RoleArn: !GetAtt DeliveryRole.Arn}
      OnFailureConfiguration: {Arn: !GetAtt Undelivered.Arn}
  Work:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import json
        def handler(event, context):
            print("seen", json.dumps(event))
            kinds = [each["detail"]["kind"] for each in event]
            if "poison" in kinds:
                raise ValueError("told to fail")
            failed = [each["id"] for each in event if each["detail"]["kind"] == "refused"]
            return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}
  ToWork:
    Type: AWS::EventsV2::Subscriber
    Properties:
      Name: to-work
      EventBusArn: !Ref Shop
      FilterConfiguration:
        Filters: [{Scope: SYSTEM_METADATA, Pattern: '{"aws:Source": ["work"]}'}]
      BatchConfiguration: {MaxBatchSize: 5, MaxBatchWindowInSeconds: 240}
      InvokeConfiguration:
        TargetArn: !GetAtt Work.Arn
        RoleArn: !GetAtt DeliveryRole.Arn
        LambdaParameters: {InvocationType: REQUEST_RESPONSE, Qualifier: $LATEST}
      RetryPolicy: {MaxRetryAttempts: 2, MaxEventAgeInSeconds: 3600}
      OnFailureConfiguration: {Arn: !GetAtt Undelivered.Arn}
  InOrder:
    Type: AWS::EventsV2::Subscriber
    Properties:
      Name: in-order
      EventBusArn: !Ref Shop
      Type: FIFO
      FilterConfiguration:
        Filters: [{Scope: METADATA, Pattern: '{"tenant": ["acme"]}'}]
      Transformer:
        Type: JSONATA
        JsonataConfiguration:
          Expression: >-
            {% {"number": $number($events.Data.number), "of": $events.Metadata.tenant} %}
      InvokeConfiguration:
        TargetArn: !GetAtt Ordered.Arn
        RoleArn: !GetAtt DeliveryRole.Arn
        SqsParameters:
          MessageGroupId: '{% $events.SystemMetadata.EventGroupId %}'
          MessageDeduplicationId: '{% $events.SystemMetadata."aws:EventId" %}'
      OnFailureConfiguration: {Arn: !GetAtt Undelivered.Arn}
"""
    + ROLE
    + """
Outputs:
  Shop: {Value: !Ref Shop}
  Received: {Value: !Ref Received}
  ReceivedArn: {Value: !GetAtt Received.Arn}
  Undelivered: {Value: !Ref Undelivered}
  Closed: {Value: !Ref Closed}
  ClosedArn: {Value: !GetAtt Closed.Arn}
  Ordered: {Value: !Ref Ordered}
  OrderedArn: {Value: !GetAtt Ordered.Arn}
  Work: {Value: !Ref Work}
  Forbidden: {Value: !GetAtt Forbidden.SubscriberArn}
  InOrder: {Value: !Ref InOrder}
  Role: {Value: !GetAtt DeliveryRole.Arn}
"""
)


@pytest.fixture(scope="module")
def stack(deploy_stack: DeployStack) -> dict[str, str]:
    return deploy_stack(STACK)


def publish(
    client: Client, bus: str, source: str, *details: dict[str, Any], **system: str
) -> list[Any]:
    entries = [
        {
            "Source": source,
            "DetailType": "Placed",
            "Detail": json.dumps(detail),
            "SystemMetadata": system,
        }
        for detail in details
    ]
    answer = client("eventbridgev2").put_events(EventBusArn=bus, Entries=entries)
    return list(answer["Entries"])


def taken(client: Client, queue: str, number: int) -> list[Any]:
    """Take so many messages of a queue."""
    found: list[Any] = []

    def all_there() -> bool:
        found.extend(bodies(client, queue))
        return len(found) >= number

    wait_until(all_there)
    return found


def test_a_subscriber_gets_the_envelope_of_what_matches_each_filter(
    stack: dict[str, str], client: Client
) -> None:
    bus = stack["Shop"]
    publish(client, bus, "orders", {"total": 7})
    publish(client, bus, "returns", {"total": 700})
    (entry,) = publish(client, bus, "orders", {"total": 700})

    (event,) = taken(client, stack["Received"], 1)

    assert entry["SuccessCode"] == "PUBLISHED"
    assert event["id"] == entry["EventId"]
    assert (event["source"], event["detail-type"], event["detail"]) == (
        "orders",
        "Placed",
        {"total": 700},
    )


def test_what_the_role_may_not_deliver_is_tried_again_and_ends_as_a_record(
    stack: dict[str, str], client: Client
) -> None:
    (entry,) = publish(client, stack["Shop"], "forbidden", {"total": 1}, EventGroupId="acme")

    (record,) = taken(client, stack["Undelivered"], 1)

    (message,) = record.pop("failedMessages")
    said = record.pop("errorMessage")
    assert record == {
        "version": "1.0",
        "busArn": stack["Shop"],
        "subscriberArn": stack["Forbidden"],
        "targetArn": stack["ClosedArn"],
        "errorCode": "ACCESS_DENIED",
        "exhaustedRetryCondition": "MaximumRetryAttempts",
        "retryAttempts": 5,
    }
    assert "not authorized to perform: sqs:SendMessage" in said
    assert (message["eventId"], message["eventGroupId"]) == (entry["EventId"], "acme")
    assert message["deduplicationId"] is None
    assert "total" not in json.dumps(record | {"messages": message})
    assert bodies(client, stack["Closed"]) == []


def test_a_function_that_fails_is_called_again_and_its_batch_is_one_record(
    stack: dict[str, str], client: Client
) -> None:
    entries = publish(client, stack["Shop"], "work", {"kind": "fine"}, {"kind": "poison"})

    (record,) = taken(client, stack["Undelivered"], 1)

    assert (record["retryAttempts"], record["errorCode"]) == (2, "CUSTOMER_VALIDATION")
    failed = [message["eventId"] for message in record["failedMessages"]]
    assert failed == [entry["EventId"] for entry in entries]
    calls = [line for line in seen(client, stack["Work"]) if "poison" in line]
    assert len(calls) == 3


def test_only_the_events_that_a_function_names_are_tried_again(
    stack: dict[str, str], client: Client
) -> None:
    entries = publish(client, stack["Shop"], "work", {"kind": "good"}, {"kind": "refused"})

    (record,) = taken(client, stack["Undelivered"], 1)

    assert [each["eventId"] for each in record["failedMessages"]] == [entries[1]["EventId"]]
    calls = [json.loads(line) for line in seen(client, stack["Work"]) if "refused" in line]
    kinds = [[each["detail"]["kind"] for each in call] for call in calls]
    assert kinds == [["good", "refused"], ["refused"], ["refused"]]


def test_events_of_a_group_are_delivered_in_order(stack: dict[str, str], client: Client) -> None:
    buses = client("eventbridgev2")
    for number in range(12):
        buses.put_raw_events(
            EventBusArn=stack["Shop"],
            Entries=[
                {
                    "Data": json.dumps({"number": number}).encode(),
                    "Metadata": {"tenant": "acme"},
                    "SystemMetadata": {"ContentType": "application/json", "EventGroupId": "a"},
                }
            ],
        )

    received = taken(client, stack["Ordered"], 12)

    assert received == [{"number": number, "of": "acme"} for number in range(12)]


def test_an_ordered_event_that_fails_holds_up_the_later_ones_until_it_is_given_up(
    stack: dict[str, str], client: Client
) -> None:
    def put(data: Any) -> None:
        client("eventbridgev2").put_raw_events(
            EventBusArn=stack["Shop"],
            Entries=[
                {
                    "Data": json.dumps(data).encode(),
                    "Metadata": {"tenant": "acme"},
                    "SystemMetadata": {"ContentType": "application/json", "EventGroupId": "b"},
                }
            ],
        )

    put({"number": "none"})
    put({"number": 1})

    (record,) = taken(client, stack["Undelivered"], 1)
    assert record["subscriberArn"] == stack["InOrder"]
    assert record["failedMessages"][0]["eventGroupId"] == "b"
    received = taken(client, stack["Ordered"], 1)
    assert received == [{"number": 1, "of": "acme"}]


def test_a_repeated_entry_is_accepted_once_within_five_minutes(
    stack: dict[str, str], client: Client
) -> None:
    def codes(**system: str) -> list[str]:
        return [
            entry["SuccessCode"]
            for _ in range(2)
            for entry in publish(client, stack["Shop"], "orders", {"total": 900}, **system)
        ]

    assert codes(DeduplicationId="order-1", EventGroupId="a") == ["PUBLISHED", "DEDUPLICATED"]
    assert codes(DeduplicationId="order-1", EventGroupId="b") == ["PUBLISHED", "DEDUPLICATED"]
    assert codes() == ["PUBLISHED", "PUBLISHED"]
    assert len(taken(client, stack["Received"], 4)) == 4


def test_a_new_subscriber_reads_what_the_bus_has_kept_from_a_point_in_time(
    stack: dict[str, str], client: Client
) -> None:
    buses = client("eventbridgev2")
    bus = buses.create_event_bus(Name="replayed")["EventBusArn"]
    publish(client, bus, "orders", {"number": 1})
    time.sleep(1)  # points of time are whole seconds in a template and in a record
    point = datetime.now(UTC)
    first, second = publish(client, bus, "orders", {"number": 2}, {"number": 3})

    replay = buses.create_subscriber(
        Name="replay",
        EventBusArn=bus,
        InvokeConfiguration={"TargetArn": stack["ReceivedArn"], "RoleArn": stack["Role"]},
        StartingPosition="POINT_IN_TIME",
        PointInTimeConfiguration={"PointType": "TIMESTAMP", "StartingPoint": point},
        Transformer={"Type": "WITH_METADATA"},
    )

    received = taken(client, stack["Received"], 2)
    by_id = {each["SystemMetadata"]["aws:EventId"]: each for each in received}
    assert by_id.keys() == {first["EventId"], second["EventId"]}
    assert {each["SystemMetadata"]["aws:DeliveryType"] for each in received} == {"REPLAY"}
    (live,) = publish(client, bus, "orders", {"number": 4})
    (event,) = taken(client, stack["Received"], 1)
    assert event["SystemMetadata"]["aws:EventId"] == live["EventId"]
    assert event["SystemMetadata"]["aws:DeliveryType"] == "LIVE"
    with pytest.raises(buses.exceptions.ResourceInUseException):
        buses.delete_event_bus(EventBusArn=bus)
    buses.delete_subscriber(SubscriberArn=replay["SubscriberArn"])
    buses.delete_event_bus(EventBusArn=bus)


def test_a_replay_ends_where_it_is_told_to(stack: dict[str, str], client: Client) -> None:
    buses = client("eventbridgev2")
    bus = buses.create_event_bus(Name="ended")["EventBusArn"]
    publish(client, bus, "orders", {"number": 1})
    time.sleep(1)
    end = datetime.now(UTC)
    publish(client, bus, "orders", {"number": 2})

    arn = buses.create_subscriber(
        Name="until",
        EventBusArn=bus,
        InvokeConfiguration={"TargetArn": stack["ReceivedArn"], "RoleArn": stack["Role"]},
        StartingPosition="POINT_IN_TIME",
        PointInTimeConfiguration={"PointType": "HORIZON", "EndPoint": end},
    )["SubscriberArn"]
    publish(client, bus, "orders", {"number": 3})

    (event,) = taken(client, stack["Received"], 1)
    assert event["detail"] == {"number": 1}
    assert bodies(client, stack["Received"]) == []
    buses.delete_subscriber(SubscriberArn=arn)


def test_a_fifo_queue_gets_a_record_for_each_group(stack: dict[str, str], client: Client) -> None:
    buses = client("eventbridgev2")
    bus = buses.create_event_bus(Name="groups")["EventBusArn"]
    for group in ("a", "b", "a"):
        publish(client, bus, "orders", {"total": 1}, EventGroupId=group)

    arn = buses.create_subscriber(
        Name="groups",
        EventBusArn=bus,
        Type="FIFO",
        StartingPosition="POINT_IN_TIME",
        PointInTimeConfiguration={"PointType": "HORIZON"},
        InvokeConfiguration={"TargetArn": stack["ClosedArn"], "RoleArn": stack["Role"]},
        OnFailureConfiguration={"Arn": stack["OrderedArn"]},
    )["SubscriberArn"]

    records = taken(client, stack["Ordered"], 2)
    groups = [[each["eventGroupId"] for each in record["failedMessages"]] for record in records]
    assert groups == [["a", "a"], ["b"]]
    buses.delete_subscriber(SubscriberArn=arn)


def test_a_stopped_subscriber_goes_on_where_it_was(stack: dict[str, str], client: Client) -> None:
    buses = client("eventbridgev2")
    bus = buses.create_event_bus(Name="paused")["EventBusArn"]
    arn = buses.create_subscriber(
        Name="paused",
        EventBusArn=bus,
        State="STOPPED",
        InvokeConfiguration={"TargetArn": stack["ReceivedArn"], "RoleArn": stack["Role"]},
    )["SubscriberArn"]
    publish(client, bus, "orders", {"number": 1})
    assert bodies(client, stack["Received"]) == []

    buses.update_subscriber(SubscriberArn=arn, State="RUNNING")

    (event,) = taken(client, stack["Received"], 1)
    assert event["detail"] == {"number": 1}
    buses.delete_subscriber(SubscriberArn=arn)


def test_a_caller_needs_the_permission_for_the_bus(client: Client, stack: dict[str, str]) -> None:
    iam = client("iam")
    iam.create_user(UserName="publisher")
    key = iam.create_access_key(UserName="publisher")["AccessKey"]
    endpoint = client("eventbridgev2").meta.endpoint_url
    buses = boto3.client(
        "eventbridgev2",
        endpoint_url=endpoint,
        region_name="eu-west-1",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    entry: Any = {"Source": "nobody", "DetailType": "Placed", "Detail": "{}"}
    with pytest.raises(buses.exceptions.AccessDeniedException, match="events:PutEvents"):
        buses.put_events(EventBusArn=stack["Shop"], Entries=[entry])
    statement = {"Effect": "Allow", "Action": "events:PutEvents", "Resource": stack["Shop"]}
    iam.put_user_policy(
        UserName="publisher",
        PolicyName="publish",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    answer = buses.put_events(EventBusArn=stack["Shop"], Entries=[entry])
    assert answer["FailedEntryCount"] == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param({"RetryPolicy": {"MaxRetryAttempts": 186}}, "at most 185", id="retries"),
        pytest.param(
            {"OnFailureConfiguration": {"Arn": "arn:aws:sns:eu-west-1:000000000000:topic"}},
            "OnFailureConfiguration.Arn",
            id="failures-to-a-topic",
        ),
        pytest.param(
            {"FilterConfiguration": {"Filters": [{"Scope": "DATA", "Pattern": "{"}]}},
            "Invalid JSON",
            id="no-pattern",
        ),
        pytest.param(
            {
                "StartingPosition": "POINT_IN_TIME",
                "PointInTimeConfiguration": {
                    "PointType": "TIMESTAMP",
                    "StartingPoint": datetime.now(UTC) - timedelta(days=30),
                },
            },
            "outside of the retention window",
            id="too-early",
        ),
        pytest.param(
            {
                "Transformer": {
                    "Type": "JSONATA",
                    "JsonataConfiguration": {"Expression": "{% $events.( %}"},
                }
            },
            "is no expression",
            id="no-expression",
        ),
    ],
)
def test_what_aws_refuses_is_refused(
    stack: dict[str, str], client: Client, changed: dict[str, Any], said: str
) -> None:
    buses = client("eventbridgev2")
    request: Any = {
        "Name": "refused",
        "EventBusArn": stack["Shop"],
        "InvokeConfiguration": {"TargetArn": stack["ReceivedArn"], "RoleArn": stack["Role"]},
        **changed,
    }

    with pytest.raises(ClientError, match=said) as refused:
        buses.create_subscriber(**request)

    assert refused.value.response["Error"]["Code"] == "InvalidInputException"


def moved(target: str) -> str:
    return f"""
Resources:
  Bus: {{Type: AWS::EventsV2::EventBus, Properties: {{Name: moved}}}}
  First: {{Type: AWS::SQS::Queue}}
  Second: {{Type: AWS::SQS::Queue}}
  Move:
    Type: AWS::EventsV2::Subscriber
    Properties:
      Name: move
      RetryPolicy: {{MaxRetryAttempts: 1}}
      EventBusArn: !Ref Bus
      InvokeConfiguration: {{TargetArn: !GetAtt {target}.Arn, RoleArn: !GetAtt Deliver.Arn}}
  Deliver:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - Effect: Allow
            Principal: {{Service: events.amazonaws.com}}
            Action: sts:AssumeRole
      Policies:
        - PolicyName: deliver
          PolicyDocument:
            Statement: [{{Effect: Allow, Action: "sqs:SendMessage", Resource: "*"}}]
Outputs:
  Bus: {{Value: !Ref Bus}}
  Second: {{Value: !Ref Second}}
  Move: {{Value: !Ref Move}}
"""


def test_another_target_replaces_a_subscriber_and_another_retry_policy_does_not(
    deploy_stack: DeployStack, client: Client
) -> None:
    buses = client("eventbridgev2")
    without = moved("First").replace("      RetryPolicy: {MaxRetryAttempts: 1}\n", "")

    first = deploy_stack(moved("First"), "moved")
    before = buses.describe_subscriber(SubscriberArn=first["Move"])
    same = deploy_stack(without, "moved")
    after = buses.describe_subscriber(SubscriberArn=same["Move"])
    other = deploy_stack(moved("Second"), "moved")

    assert (before["RetryPolicy"], after["RetryPolicy"]) == ({"MaxRetryAttempts": 1}, {})
    assert first["Move"] == same["Move"] != other["Move"]
    listed = buses.list_subscribers(EventBusArn=other["Bus"])["Subscribers"]
    assert [each["SubscriberArn"] for each in listed] == [other["Move"]]
    publish(client, other["Bus"], "orders", {"number": 1})
    (event,) = taken(client, other["Second"], 1)
    assert event["detail"] == {"number": 1}


def test_a_stack_with_a_subscriber_to_what_is_not_served_is_refused(
    deploy_stack: DeployStack,
) -> None:
    body = """
Resources:
  Bus: {Type: AWS::EventsV2::EventBus, Properties: {Name: elsewhere}}
  ToStream:
    Type: AWS::EventsV2::Subscriber
    Properties:
      Name: to-stream
      EventBusArn: !Ref Bus
      InvokeConfiguration:
        TargetArn: arn:aws:kinesis:eu-west-1:000000000000:stream/orders
        RoleArn: arn:aws:iam::000000000000:role/deliver
"""
    with pytest.raises(UserError, match="no subscribers to arn:aws:kinesis"):
        deploy_stack(body)
