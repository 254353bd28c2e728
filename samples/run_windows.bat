@echo off
rem Builds build-windows\Release\sample.exe in the current folder, with CMake and Visual Studio, and runs it.
rem
rem     run_windows.bat [bit width, 8 or 16]
setlocal
set "package=%~dp0.."

cmake --version >nul 2>nul
if errorlevel 1 (
  echo run_windows: cmake not found: install CMake, or start from Visual Studio's command prompt 1>&2
  exit /b 1
)
if not exist "%package%\lib\gfpq.dll" (
  echo run_windows: %package%\lib\gfpq.dll not found: unpack the whole of GFPQLibs 1>&2
  exit /b 1
)
cmake -S "%~dp0." -B build-windows -A x64
if errorlevel 1 exit /b 1
cmake --build build-windows --config Release
if errorlevel 1 exit /b 1
copy /y "%package%\lib\gfpq.dll" build-windows\Release >nul
if errorlevel 1 exit /b 1
build-windows\Release\sample.exe %*
