terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

locals {
  role = "arn:aws:iam::111122223333:role/any"
}

resource "aws_sqs_queue" "jobs" {
  name = "jobs"
}
resource "aws_sqs_queue" "dlq" {
  name = "dlq"
}
resource "aws_sns_topic" "events" {
  name = "events"
}
resource "aws_sns_topic" "people" {
  name = "people"
}
resource "aws_s3_bucket" "uploads" {
  bucket = "uploads"
}
resource "aws_kinesis_stream" "clicks" {
  name        = "clicks"
  shard_count = 1
}
resource "aws_dynamodb_table" "orders" {
  name             = "orders"
  hash_key         = "id"
  stream_enabled   = true
  stream_view_type = "NEW_IMAGE"
  attribute {
    name = "id"
    type = "S"
  }
}
resource "aws_sfn_state_machine" "fulfil" {
  name       = "fulfil"
  role_arn   = local.role
  definition = jsonencode({ StartAt = "Pay", States = { Pay = { Type = "Task", Resource = aws_lambda_function.worker.arn, End = true } } })
}

resource "aws_lambda_function" "worker" {
  function_name = "worker"
  role          = local.role
  publish       = true
  dead_letter_config {
    target_arn = aws_sqs_queue.dlq.arn
  }
  environment {
    variables = { TOKEN = "not-to-be-read" }
  }
}
resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.worker.function_name
  function_version = aws_lambda_function.worker.version
}
resource "aws_lambda_function_event_invoke_config" "live" {
  function_name          = aws_lambda_function.worker.function_name
  qualifier              = aws_lambda_alias.live.name
  maximum_retry_attempts = 1
  destination_config {
    on_failure {
      destination = aws_sqs_queue.dlq.arn
    }
    on_success {
      destination = aws_sns_topic.events.arn
    }
  }
}
resource "aws_lambda_permission" "uploads" {
  function_name = aws_lambda_function.worker.function_name
  qualifier     = aws_lambda_alias.live.name
  action        = "lambda:InvokeFunction"
  principal     = "s3.amazonaws.com"
  source_arn    = aws_s3_bucket.uploads.arn
}

resource "aws_lambda_event_source_mapping" "clicks" {
  event_source_arn  = aws_kinesis_stream.clicks.arn
  function_name     = aws_lambda_alias.live.arn
  starting_position = "LATEST"
  destination_config {
    on_failure {
      destination_arn = aws_sqs_queue.dlq.arn
    }
  }
  filter_criteria {
    filter {
      pattern = jsonencode({ data = { kind = ["a"] } })
    }
    filter {
      pattern = jsonencode({ data = { kind = ["b"] } })
    }
  }
}
resource "aws_lambda_event_source_mapping" "orders" {
  event_source_arn = aws_dynamodb_table.orders.stream_arn
  function_name    = "${aws_lambda_function.worker.arn}:${aws_lambda_alias.live.name}"
}
resource "aws_lambda_event_source_mapping" "kafka" {
  function_name = aws_lambda_function.worker.qualified_arn
  topics        = ["orders"]
  self_managed_event_source {
    endpoints = { KAFKA_BOOTSTRAP_SERVERS = "a.example.com:9092,b.example.com:9092" }
  }
}

resource "aws_sns_topic_subscription" "jobs" {
  topic_arn            = aws_sns_topic.events.arn
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.jobs.arn
  raw_message_delivery = true
  filter_policy        = jsonencode({ kind = ["order"] })
  redrive_policy       = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dlq.arn })
}

resource "aws_cloudwatch_event_bus" "orders" {
  name = "orders"
}
resource "aws_cloudwatch_event_rule" "placed" {
  name           = "placed"
  event_bus_name = aws_cloudwatch_event_bus.orders.name
  event_pattern  = jsonencode({ "detail-type" = ["OrderPlaced"] })
}
resource "aws_cloudwatch_event_target" "worker" {
  rule           = aws_cloudwatch_event_rule.placed.name
  event_bus_name = aws_cloudwatch_event_bus.orders.name
  target_id      = "worker"
  arn            = aws_lambda_alias.live.arn
  dead_letter_config {
    arn = aws_sqs_queue.dlq.arn
  }
  retry_policy {
    maximum_event_age_in_seconds = 3600
    maximum_retry_attempts       = 10
  }
}
resource "aws_cloudwatch_event_target" "task" {
  rule           = aws_cloudwatch_event_rule.placed.name
  event_bus_name = aws_cloudwatch_event_bus.orders.name
  target_id      = "task"
  arn            = aws_ecs_cluster.jobs.arn
}
resource "aws_ecs_cluster" "jobs" {
  name = "jobs"
}
resource "aws_cloudwatch_event_target" "elsewhere" {
  rule      = "a-rule-of-another-team"
  target_id = "jobs"
  arn       = aws_sqs_queue.jobs.arn
}
resource "aws_cloudwatch_event_rule" "uploads" {
  name = "uploads"
  event_pattern = jsonencode({
    source = ["aws.s3"]
    detail = { bucket = { name = [aws_s3_bucket.uploads.id] } }
  })
}
# Whether it has a dead-letter queue, a plan does not show.
resource "aws_cloudwatch_event_target" "nightly" {
  rule = aws_cloudwatch_event_rule.nightly.name
  arn  = aws_lambda_function.worker.arn
  dynamic "dead_letter_config" {
    for_each = aws_sqs_queue.dlq.arn[*]
    content {
      arn = dead_letter_config.value
    }
  }
}
resource "aws_cloudwatch_event_rule" "nightly" {
  name                = "nightly"
  schedule_expression = "rate(1 day)"
  is_enabled          = false
}

resource "aws_scheduler_schedule" "hourly" {
  name                = "hourly"
  schedule_expression = "rate(1 hour)"
  flexible_time_window {
    mode = "OFF"
  }
  target {
    arn      = aws_lambda_function.worker.arn
    role_arn = local.role
    dead_letter_config {
      arn = aws_sqs_queue.dlq.arn
    }
    retry_policy {
      maximum_retry_attempts = 2
    }
  }
}

resource "aws_s3_bucket_notification" "uploads" {
  bucket      = aws_s3_bucket.uploads.id
  eventbridge = true
  lambda_function {
    lambda_function_arn = aws_lambda_alias.live.arn
    events              = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
    filter_prefix       = "in/"
  }
  queue {
    queue_arn = aws_sqs_queue.jobs.arn
    events    = ["s3:ObjectCreated:*"]
  }
}
resource "aws_s3_bucket_notification" "theirs" {
  bucket = "theirs"
  topic {
    topic_arn = aws_sns_topic.events.arn
    events    = ["s3:ObjectCreated:*"]
  }
}

resource "aws_pipes_pipe" "orders" {
  name     = "orders"
  role_arn = local.role
  source   = aws_dynamodb_table.orders.stream_arn
  target   = aws_cloudwatch_event_bus.orders.arn
  source_parameters {
    dynamodb_stream_parameters {
      starting_position      = "LATEST"
      maximum_retry_attempts = 2
      dead_letter_config {
        arn = aws_sqs_queue.dlq.arn
      }
    }
  }
}

resource "aws_kinesis_firehose_delivery_stream" "clicks" {
  name        = "clicks"
  destination = "extended_s3"
  kinesis_source_configuration {
    kinesis_stream_arn = aws_kinesis_stream.clicks.arn
    role_arn           = local.role
  }
  extended_s3_configuration {
    bucket_arn          = aws_s3_bucket.uploads.arn
    role_arn            = local.role
    error_output_prefix = "errors/"
  }
}

resource "aws_cloudwatch_log_group" "worker" {
  name = "/aws/lambda/worker"
}
resource "aws_cloudwatch_log_subscription_filter" "errors" {
  name            = "errors"
  log_group_name  = aws_cloudwatch_log_group.worker.name
  filter_pattern  = "ERROR"
  destination_arn = aws_lambda_function.worker.arn
}

resource "aws_iot_topic_rule" "readings" {
  name        = "readings"
  enabled     = true
  sql         = "SELECT * FROM 'readings'"
  sql_version = "2016-03-23"
  lambda {
    function_arn = aws_lambda_function.worker.arn
  }
  error_action {
    sqs {
      queue_url  = aws_sqs_queue.dlq.id
      role_arn   = local.role
      use_base64 = false
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "dlq" {
  alarm_name          = "dlq"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  alarm_actions       = [aws_sns_topic.people.arn]
  dimensions          = { QueueName = aws_sqs_queue.dlq.name }
}
resource "aws_cloudwatch_metric_alarm" "share" {
  alarm_name          = "share"
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanThreshold"
  alarm_actions       = [aws_sns_topic.people.arn, aws_sns_topic.events.arn]
  metric_query {
    id          = "errors"
    return_data = true
    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Errors"
      period      = 60
      stat        = "Sum"
      dimensions  = { FunctionName = "worker" }
    }
  }
}

resource "aws_api_gateway_rest_api" "orders" {
  name = "orders"
}
resource "aws_api_gateway_integration" "orders" {
  rest_api_id             = aws_api_gateway_rest_api.orders.id
  resource_id             = aws_api_gateway_rest_api.orders.root_resource_id
  http_method             = "POST"
  type                    = "AWS"
  integration_http_method = "POST"
  uri                     = aws_lambda_function.worker.invoke_arn
  request_parameters      = { "integration.request.header.X-Amz-Invocation-Type" = "'Event'" }
}
resource "aws_apigatewayv2_api" "fulfil" {
  name          = "fulfil"
  protocol_type = "HTTP"
}
resource "aws_apigatewayv2_integration" "fulfil" {
  api_id              = aws_apigatewayv2_api.fulfil.id
  integration_type    = "AWS_PROXY"
  integration_subtype = "StepFunctions-StartExecution"
  credentials_arn     = local.role
  request_parameters  = { StateMachineArn = aws_sfn_state_machine.fulfil.arn, Input = "$request.body" }
}
resource "aws_ses_receipt_rule" "mail" {
  name          = "mail"
  rule_set_name = "mail"
  lambda_action {
    function_arn    = aws_lambda_function.worker.arn
    invocation_type = "Event"
    position        = 1
  }
}
