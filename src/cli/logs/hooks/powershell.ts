/**
 * The hook for PowerShell 7 and Windows PowerShell 5.1: the prompt function reads new entries of the history, and an engine event
 * reports the end.
 */
export const powershell = `# Records this shell as a codex session. Put this into $PROFILE, after everything that sets the prompt:
#   codex logs hook powershell | Out-String | Invoke-Expression
# Events go to .codex in the directory where the shell started, or to CODEX_LOG_DB_PATH. CODEX_SESSION_LOGGING=0 turns it off.
if ($global:__CodexHook -ne $PID -and $env:CODEX_SESSION_LOGGING -ne '0') {
  $global:__CodexHook = $PID
  $global:__CodexFolder = (Get-Location -PSProvider FileSystem).ProviderPath
  if (-not $env:CODEX_SESSION_ID) {
    $now = [DateTime]::UtcNow.ToString('yyyyMMddTHHmmssZ', [cultureinfo]::InvariantCulture)
    $env:CODEX_SESSION_ID = "shell-$now-$PID"
  }

  function global:__CodexSeconds([double]$Seconds) {
    $Seconds.ToString('0.000', [cultureinfo]::InvariantCulture)
  }

  function global:__CodexUnix([DateTime]$Time) {
    __CodexSeconds ($Time.ToUniversalTime() - [DateTime]::new(1970, 1, 1, 0, 0, 0, [DateTimeKind]::Utc)).TotalSeconds
  }

  # The options have no spaces and the message goes to stdin, so nothing needs quotes.
  function global:__CodexRecord([string]$Message, [string[]]$Options) {
    if ($env:CODEX_SESSION_LOGGING -eq '0') { return }
    try {
      $name = if ($env:CODEX_BIN) { $env:CODEX_BIN } else { 'codex' }
      $command = Get-Command -Name $name -CommandType Application -ErrorAction Stop | Select-Object -First 1
      $start = [System.Diagnostics.ProcessStartInfo]::new()
      $start.FileName = $command.Source
      $start.Arguments = (@('logs', 'record') + $Options + $(if ($Message) { '--stdin' })) -join ' '
      $start.WorkingDirectory = $global:__CodexFolder
      $start.UseShellExecute = $false
      $start.CreateNoWindow = $true
      $start.RedirectStandardInput = $true
      $start.RedirectStandardOutput = $true
      $start.RedirectStandardError = $true
      $process = [System.Diagnostics.Process]::Start($start)
      $bytes = [System.Text.UTF8Encoding]::new($false).GetBytes("$Message")
      $process.StandardInput.BaseStream.Write($bytes, 0, $bytes.Length)
      $process.StandardInput.BaseStream.Close()
      $process.Dispose()
    } catch {
      # Without codex the shell keeps working.
    }
  }

  $global:__CodexBirth = [DateTime]::UtcNow
  $global:__CodexSeen = (Get-History -Count 1).Id
  $global:__CodexPrompt = $function:prompt

  function global:prompt {
    $ok = $?
    $code = $global:LASTEXITCODE
    $entry = Get-History -Count 1
    if ($entry -and $entry.Id -ne $global:__CodexSeen) {
      $global:__CodexSeen = $entry.Id
      $status = if ($ok) { 0 } elseif ($code) { $code } else { 1 }
      $duration = __CodexSeconds ($entry.EndExecutionTime - $entry.StartExecutionTime).TotalSeconds
      __CodexRecord $entry.CommandLine @(
        '--event', 'message', '--role', 'user', '--at', (__CodexUnix $entry.StartExecutionTime),
        '--metadata', "status=$status", '--metadata', "duration=$duration"
      )
    }
    $global:LASTEXITCODE = $code
    # The previous prompt function sees the original status.
    if (-not $ok) { Write-Error '' -ErrorAction Ignore }
    & $global:__CodexPrompt
  }

  $null = Register-EngineEvent -SourceIdentifier PowerShell.Exiting -SupportEvent -Action {
    $duration = __CodexSeconds ([DateTime]::UtcNow - $global:__CodexBirth).TotalSeconds
    __CodexRecord '' @(
      '--event', 'end', '--at', (__CodexUnix ([DateTime]::UtcNow)), '--metadata', 'shell=powershell',
      '--metadata', "duration=$duration"
    )
  }

  __CodexRecord '' @('--event', 'start', '--at', (__CodexUnix $global:__CodexBirth), '--metadata', 'shell=powershell')
}`
